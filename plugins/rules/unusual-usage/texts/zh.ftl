unusual = { $sim }：今天已用 { $today }，平日一天约 { $usual }。
