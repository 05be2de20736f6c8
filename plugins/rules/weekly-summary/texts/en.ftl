week = { $sim }: { $week } used in the last week, { $used } in this cycle{ $left }.
cycle = { $sim }: { $used } used in this cycle{ $left }.
left = ; { $remaining } of { $allowance } left
left-days = ; { $remaining } of { $allowance } left for { $days ->
    [one] one day
   *[other] { $days } days
}
