since = { $text }自 { $since } 起。
since-of = { $text }（{ $subject }）自 { $since } 起。

modemmanager-gone = ModemManager 未运行：看不到调制解调器的用量和短信。
bus-lost = 系统总线已断开：看不到调制解调器的用量和短信。
ledger-not-writable = 账本无法写入：用量暂时只保存在内存中。磁盘是否已满或只读？
ledger-damaged = 账本已损坏并被移到一旁；自上一个完好副本以来的数据可能缺失。
not-measured = 有一个连接的流量无法统计。
not-authorized = ModemManager 拒绝了请求：缺少该服务的 polkit 规则。
overflow = 有一笔用量或记录无法写入账本，未能入账。
