used = { $sim }: { $share } of the data used, { $remaining } of { $allowance } left.
used-up = { $sim }: all { $allowance } of data are used ({ $used } in this cycle).
