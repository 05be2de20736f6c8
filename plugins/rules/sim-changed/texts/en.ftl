changed = { $sim } is in use now, instead of another SIM. Its usage is counted by itself.
changed-from = { $sim } is in use now, instead of { $before }. Each has its own usage.
