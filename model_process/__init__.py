"""A model's process from inside. Nobody imports it: the zygote is started, and forks the children."""
