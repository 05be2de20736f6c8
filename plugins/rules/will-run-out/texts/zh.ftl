runs-out = { $sim }：照此用量，流量将在 { $day } 用完，而本周期到 { $end } 才结束。还剩 { $remaining }。
