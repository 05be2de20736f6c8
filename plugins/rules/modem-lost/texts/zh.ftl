lost = 调制解调器 { $modem } 自 { $since } 起不见了。是否已插好并通电？
back = 调制解调器 { $modem } 已恢复。
unusable = 调制解调器 { $modem } 无法使用：{ $why }。
