summary = { $sim }: { $used } used{ $left }{ $days }.
left = , { $remaining } of { $allowance } left
days = { $days ->
    [1] , last day of the cycle
   *[other] , { $days } days left
}
