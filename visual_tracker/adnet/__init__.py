"""Moving a box by discrete actions: what ADNet's tracker and its training share. Needs no torch.

Yun et al., "Action-Decision Networks for Visual Tracking with Deep Reinforcement Learning",
CVPR 2017.
"""
