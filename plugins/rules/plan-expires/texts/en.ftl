ended = { $sim }: the plan { $plan } has ended.
last-day = { $sim }: today ({ $day }) is the last day of the plan { $plan }.
ends = { $sim }: the plan { $plan } ends in { $left } days, on { $day }.
