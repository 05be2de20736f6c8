ended = { $sim }：套餐 { $plan } 已到期。
last-day = { $sim }：今天（{ $day }）是套餐 { $plan } 的最后一天。
ends = { $sim }：套餐 { $plan } 还有 { $left } 天到期，最后一天是 { $day }。
