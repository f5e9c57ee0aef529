# Everything a development machine without apt's ROS needs. On a robot use colcon instead.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
# The steps follow each other anyway, and so "make -j2 clean setup" is right too.
.NOTPARALLEL:
MAKEFLAGS += --no-builtin-rules

# The environment is complete in itself: nothing of an apt ROS that happens to be sourced,
# or of another virtual environment, may leak into it.
unexport PYTHONPATH PYTHONHOME VIRTUAL_ENV LD_LIBRARY_PATH _ROS_WHEELS_BOOTSTRAP_COMPLETE
unexport AMENT_PREFIX_PATH AMENT_CURRENT_PREFIX CMAKE_PREFIX_PATH COLCON_PREFIX_PATH
unexport COLCON_DEFAULTS_FILE PKG_CONFIG_PATH CMAKE_GENERATOR RMW_IMPLEMENTATION
unexport ROS_DISTRO ROS_VERSION ROS_PYTHON_VERSION ROS_PACKAGE_PATH ROS_ETC_DIR ROS_ROOT

ifeq ($(origin PYTHON),undefined)
PYTHON := python3.11
PYTHON_FALLBACK := python3
endif

# Options of "make demo". Given on the command line only: their names are too common for
# the environment.
VIDEO =
BOX =
TRACKER =
OUTPUT =

# Options of "make evaluate". TrackerNano takes part where its model files are.
DATASET = ../shared/data/sequences
JOBS = 1
SEEDS = 3
STARTS = 3
NANO_MODELS = ../shared/data/teachers
NANO_FILES = $(wildcard $(addprefix $(NANO_MODELS)/nanotrackv2_,backbone_sim.onnx head_sim.onnx))
NANO_SETTINGS = $(if $(word 2,$(NANO_FILES)),--set nano.backbone='$(word 1,$(NANO_FILES))' \
	--set nano.neckhead='$(word 2,$(NANO_FILES))')
README = $(if $(wildcard README.md),--readme README.md)

# Options of "make benchmark": about five minutes on two cores without any, most of an hour with
# FULL=1 (all sizes of image, rates and transports, more frames and rounds, alexnet-big, too).
FULL =
SPEED_LENGTH = $(if $(FULL),--random alexnet-big,--size 640x480 --frames 30)
TARGETS_LENGTH = $(if $(FULL),,--frames 30 --repeats 1)
NODE_LENGTH = $(if $(FULL),,--size 640x480 --transport raw --targets 1 --targets 4 \
	--threads 1 --threads 2 --seconds 3 --repeats 2)
SPEED_ARGS =
TARGETS_ARGS =
# A clone of the DaSiamRPN authors' repository, to be measured beside ours.
RELEASE =
NODE_ARGS =

# Options of "make weights": 5 to 9 hours, as estimated, on two idle cores, each of which takes half
# of every batch: that is faster than two threads (docs/training.md).
PROCESSES = 2
RUNS = runs/seed-$(SEED)
SEED = 0
TRAINING_DATA = ../shared/data/training
TEACHER = ../shared/data/teachers/nanotrackv3.safetensors
ON_DATA = --data '$(TRAINING_DATA)' --exclude '$(DATASET)'
# PyTorch's threads wait without spinning, and glibc keeps the memory that each step takes anew.
SETTLED = OMP_WAIT_POLICY=PASSIVE MALLOC_MMAP_THRESHOLD_=4294967296 \
	MALLOC_TRIM_THRESHOLD_=8589934592
TRAIN = $(SETTLED) $(BIN)/visual-tracker train $(ON_DATA) --threads 1
TRAIN_SHARED = $(SETTLED) $(BIN)/torchrun --standalone --nproc-per-node $(PROCESSES) \
	-m visual_tracker.cli train $(ON_DATA) --threads 1 --image-memory 2.5
CALIBRATE = $(BIN)/visual-tracker calibrate $(ON_DATA)

# Options of "make test".
PYTEST_ARGS ?=

VENV := .venv
BIN := $(VENV)/bin
STAMPS := $(VENV)/.stamps
REQUIREMENTS := $(sort $(wildcard requirements/*.txt))
INTERFACES := $(wildcard $(foreach folder,dev/vision_msgs_standin visual_tracker_msgs,\
	$(addprefix $(folder)/,CMakeLists.txt package.xml msg/*.msg srv/*.srv)))
PACKAGE := setup.py setup.cfg package.xml resource/visual_tracker \
	$(wildcard launch/*.py config/*)

# A virtual environment cannot be moved. Its first stamp holds the folder it was made in.
ifneq ($(filter-out clean help,$(or $(MAKECMDGOALS),$(.DEFAULT_GOAL))),)
MADE_IN := $(shell cat $(STAMPS)/venv 2>/dev/null)
ifneq ($(MADE_IN),)
ifneq ($(MADE_IN),$(CURDIR))
$(error $(VENV) was made in $(MADE_IN) and does not work here; run: make clean)
endif
endif
endif

.PHONY: help
help: ## List the targets
	@echo "Targets:"
	@sed -nE 's/^([a-z]+):.*## (.*)/  \1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 12
	@echo
	@echo "Examples:"
	@echo "  make demo VIDEO=film.mp4 BOX=10,20,64,48 TRACKER=csrt OUTPUT=demo_output"
	@echo "  make test PYTEST_ARGS='-m \"not slow\" -x'"
	@echo "  make setup PYTHON=/path/to/python3.11"

.PHONY: setup
setup: $(STAMPS)/package $(STAMPS)/interfaces ## Create .venv: ROS 2 wheels, messages, this package

.PHONY: demo
demo: setup ## Track a video over real DDS (VIDEO, BOX, TRACKER, OUTPUT)
	$(BIN)/python -m visual_tracker.ros.demo \
		$(if $(VIDEO),--video '$(VIDEO)') $(if $(BOX),--box '$(BOX)') \
		$(if $(TRACKER),--tracker '$(TRACKER)') $(if $(OUTPUT),--output '$(OUTPUT)')

.PHONY: evaluate
evaluate: setup ## Evaluate all trackers, write README's tables (DATASET, JOBS)
	$(BIN)/visual-tracker evaluate --dataset '$(DATASET)' --jobs $(JOBS) --verbose \
		$(NANO_SETTINGS) $(README)

# One pass is one draw of many: the same from STARTS first boxes, each off by 4 %, a table for each.
.PHONY: starts
starts: setup ## Compare dasiamrpn, siamrpn, nano from moved first boxes (DATASET, JOBS, STARTS)
	for seed in $$(seq $(STARTS)); do \
		$(BIN)/visual-tracker evaluate --dataset '$(DATASET)' --jobs $(JOBS) --start-noise 0.04 \
			--seed $$seed --output evaluation_output/starts-$$seed --no-report $(NANO_SETTINGS) \
			--tracker dasiamrpn --tracker wide=dasiamrpn --set wide.network=lite-wide \
			--tracker siamrpn $(if $(NANO_SETTINGS),--tracker nano) || exit; \
	done

# What a robot's camera does to images, and what trackers make of that; finished runs are kept.
.PHONY: robustness
robustness: setup ## Compare dasiamrpn, siamrpn, nano on worse images, write the table (DATASET, JOBS)
	$(BIN)/visual-tracker evaluate --dataset '$(DATASET)' --jobs $(JOBS) \
		--output evaluation_output/robustness --readme docs/evaluation.md $(NANO_SETTINGS) \
		--tracker dasiamrpn --tracker siamrpn $(if $(NANO_SETTINGS),--tracker nano) \
		$(foreach kind,noise blur jpeg darken brighten drops resolution,--perturb $(kind))

# What each addition of the trackers that learn on line changes, as mean and spread over seeds, in
# README; finished runs are kept in evaluation_output/ablation, so that it can be stopped and gone on
# with.
.PHONY: ablation
ablation: setup ## Compare variants of mdnet and adnet over SEEDS seeds (DATASET, JOBS, SEEDS)
	$(BIN)/visual-tracker evaluate --dataset '$(DATASET)' --jobs $(JOBS) --tracker-seeds $(SEEDS) \
		--output evaluation_output/ablation --no-report $(README) --tracker mdnet \
		--tracker attention=mdnet --set attention.attention=true \
		--tracker vital=mdnet --set vital.adversarial=true \
		--tracker adnet --tracker adnet_fast

# dasiamrpn without what each row after it adds: name of the row, parameters that turn that off.
without = --tracker $(1)=dasiamrpn $(foreach setting,$(2),--set $(1).$(setting))
NO_DOUBLES = track_distractors=false
NO_CHECK = check_every=0 $(NO_DOUBLES)
NO_REIDENTIFICATION = reidentify=false $(NO_CHECK)
NO_LONG_TERM = template_share=0 calibrated=false long_term=false $(NO_REIDENTIFICATION)
NO_LEARNING = target_model=false box_correction=0 $(NO_LONG_TERM)
NO_DISTRACTORS = distractor_aware=false $(NO_LEARNING)

.PHONY: parts
parts: setup ## Compare siamrpn, and dasiamrpn with one part after the other (DATASET, JOBS)
	$(BIN)/visual-tracker evaluate --dataset '$(DATASET)' --jobs $(JOBS) \
		--output evaluation_output/parts --no-report --tracker siamrpn \
		$(call without,sized,$(NO_DISTRACTORS)) $(call without,aware,$(NO_LEARNING)) $(call without,learned,$(NO_LONG_TERM)) \
		$(call without,long_term,$(NO_REIDENTIFICATION)) \
		$(call without,reidentified,$(NO_CHECK)) $(call without,checked,$(NO_DOUBLES)) \
		--tracker dasiamrpn

# A run of siamrpn: recipe, name, name of the run whose weights it begins with, more options. The
# last --set of a name counts.
siamrpn = $(TRAIN_SHARED) siamrpn --recipe dev/recipes/siamrpn-lite-$(1).recipe --set seed=$(SEED) \
	--set teacher='$(TEACHER)' --output '$(RUNS)/siamrpn-lite-$(2)' \
	$(if $(3),--initial '$(RUNS)/siamrpn-lite-$(3)/weights.safetensors') $(4)

# The teacher sees the crops clear that ours sees blurred, coarse or dark.
CLEAR = --set teacher_clear=true

# One sign is fitted on fewer videos than four.
FEWER = --rounds 2 --others 10

# Each run goes on from its checkpoint; dev/package_weights.py ships what comes out, weights with the
# calibration that lies beside them.
.PHONY: weights
weights: setup ## Train the shipped weights anew into RUNS (SEED, TRAINING_DATA, TEACHER, DATASET)
	$(call siamrpn,1,1,,--network lite-wide)
	$(call siamrpn,2,2,1,--network lite-wide)
	$(call siamrpn,3,3,2,--network lite-wide)
	$(call siamrpn,4,4,3,--network lite-wide)
	$(call siamrpn,5,5,4)
	$(call siamrpn,5,5-more,5,--set seed=$$(($(SEED) + 1000)))
	$(call siamrpn,6,6,5-more)
	$(call siamrpn,7,7,6)
	$(call siamrpn,5,8,7,--set seed=$$(($(SEED) + 3000)) --set steps=1600 $(CLEAR))
	$(call siamrpn,7,9,8,$(CLEAR))
	$(CALIBRATE) --network lite-wide --weights '$(RUNS)/siamrpn-lite-4/weights.safetensors'
	$(CALIBRATE) --tracker siamrpn --network lite-wide $(FEWER) --weights '$(RUNS)/siamrpn-lite-4/weights.safetensors'
	$(CALIBRATE) --weights '$(RUNS)/siamrpn-lite-9/weights.safetensors'
	$(CALIBRATE) --tracker siamrpn $(FEWER) --weights '$(RUNS)/siamrpn-lite-9/weights.safetensors'
	$(TRAIN_SHARED) siamfc --recipe dev/recipes/siamfc-lite.recipe --set seed=$(SEED) \
		--output '$(RUNS)/siamfc-lite' --initial '$(RUNS)/siamrpn-lite-4/weights.safetensors'
	$(CALIBRATE) --tracker siamfc $(FEWER) --weights '$(RUNS)/siamfc-lite/weights.safetensors'
	$(TRAIN_SHARED) cfnet --recipe dev/recipes/cfnet-lite.recipe --set seed=$(SEED) \
		--output '$(RUNS)/cfnet-lite' --initial '$(RUNS)/siamfc-lite/weights.safetensors'
	$(CALIBRATE) --tracker cfnet $(FEWER) --weights '$(RUNS)/cfnet-lite/weights.safetensors'
	$(TRAIN_SHARED) memtrack --recipe dev/recipes/memtrack-lite.recipe --set seed=$(SEED) \
		--output '$(RUNS)/memtrack-lite' --initial '$(RUNS)/siamfc-lite/weights.safetensors'
	$(CALIBRATE) --tracker memtrack $(FEWER) --weights '$(RUNS)/memtrack-lite/weights.safetensors'
	$(TRAIN_SHARED) re3 --recipe dev/recipes/re3-lite.recipe --set seed=$(SEED) \
		--output '$(RUNS)/re3-lite' --initial '$(RUNS)/siamfc-lite/weights.safetensors'
	$(TRAIN) mdnet --set seed=$(SEED) --output '$(RUNS)/mdnet-lite'
	$(TRAIN) adnet --stage supervised --set seed=$(SEED) --output '$(RUNS)/adnet-lite'

.PHONY: benchmark
benchmark: setup ## Measure trackers and node, write README's tables (FULL, SPEED_ARGS, NODE_ARGS, RELEASE)
	$(BIN)/visual-tracker benchmark speed $(NANO_SETTINGS) $(README) --threads 1 --threads 2 \
		--random alexnet-vot $(if $(RELEASE),--release '$(RELEASE)') \
		$(SPEED_LENGTH) $(SPEED_ARGS)
	$(BIN)/visual-tracker benchmark targets $(TARGETS_LENGTH) $(TARGETS_ARGS)
	$(BIN)/visual-tracker benchmark node $(README) $(NODE_LENGTH) $(NODE_ARGS)

.PHONY: test
test: setup lint ## Check the code and run the tests (PYTEST_ARGS)
	$(BIN)/python -m pytest $(PYTEST_ARGS)

.PHONY: lint
lint: setup ## Check style and types, change nothing
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

.PHONY: format
format: setup ## Format the code and fix what ruff can fix
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

.PHONY: clean
clean: ## Remove .venv and all that was built, cached or measured
	rm -rf $(VENV) build install log *.egg-info
	rm -rf demo_output evaluation_output benchmark_output
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(STAMPS)/venv:
	dev/create_venv.sh $(VENV) $(PYTHON) $(PYTHON_FALLBACK)
	mkdir -p $(STAMPS)
	echo '$(CURDIR)' > $@

$(STAMPS)/requirements: $(STAMPS)/venv $(REQUIREMENTS) dev/check_opencv.sh
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --prefer-binary \
		$(addprefix --requirement=,$(REQUIREMENTS))
	dev/check_opencv.sh $(VENV)
	touch $@

$(STAMPS)/interfaces: $(STAMPS)/requirements dev/build_interfaces.sh $(INTERFACES)
	dev/build_interfaces.sh $(VENV) build/dev
	touch $@

# After the interfaces, because both write to the same prefix.
$(STAMPS)/package: $(STAMPS)/requirements dev/install_package.sh $(PACKAGE) | $(STAMPS)/interfaces
	dev/install_package.sh $(VENV)
	touch $@
