week = { $sim }：过去一周已用 { $week }，本周期已用 { $used }{ $left }。
cycle = { $sim }：本周期已用 { $used }{ $left }。
left = ；还剩 { $remaining }（共 { $allowance }）
left-days = ；还剩 { $remaining }（共 { $allowance }），本周期还有 { $days } 天
