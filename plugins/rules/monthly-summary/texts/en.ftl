cycle = { $sim }: the cycle from { $start } to { $last } is over; { $used } were used.
cycle-of = { $sim }: the cycle from { $start } to { $last } is over; { $used } of { $allowance } were used ({ $share }).
month = { $sim }: { $used } were used in the last month.
