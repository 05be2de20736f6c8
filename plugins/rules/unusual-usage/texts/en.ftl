unusual = { $sim }: { $today } used today; a usual day has { $usual }.
