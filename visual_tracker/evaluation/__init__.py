"""Evaluation: datasets, runs, the field's metrics and reports. Needs no ROS.

Running trackers and computing figures needs the core dependencies alone; parallel runs, plots and
the report need the extra `eval` (`pip install '.[eval]'` in the clone).
"""
