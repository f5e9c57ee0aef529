"""MDNet's own maths: candidates' features, what is learned on line, box regression."""
