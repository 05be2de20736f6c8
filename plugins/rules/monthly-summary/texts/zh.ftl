cycle = { $sim }：{ $start } 至 { $last } 的周期已结束，共用 { $used }。
cycle-of = { $sim }：{ $start } 至 { $last } 的周期已结束，{ $allowance } 中用了 { $used }（{ $share }）。
month = { $sim }：过去一个月共用 { $used }。
