"""The networks, their anchors and their weights; importing this package needs no torch."""
