summary = { $sim }：已用 { $used }{ $left }{ $days }。
left = ，还剩 { $remaining }（共 { $allowance }）
days = { $days ->
    [1] ，今天是本周期最后一天
   *[other] ，本周期还有 { $days } 天
}
