changed = 现在使用的是 { $sim }，不再是之前的 SIM 卡。其用量单独统计。
changed-from = 现在使用的是 { $sim }，不再是 { $before }。两者用量分别统计。
