roaming = { $sim } 正在漫游，使用流量可能另外收费。
roaming-in = { $sim } 正在 { $network } 网络漫游，使用流量可能另外收费。
