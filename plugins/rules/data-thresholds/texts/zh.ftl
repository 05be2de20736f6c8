used = { $sim }：流量已用 { $share }，还剩 { $remaining }（共 { $allowance }）。
used-up = { $sim }：{ $allowance } 流量已用完（本周期已用 { $used }）。
