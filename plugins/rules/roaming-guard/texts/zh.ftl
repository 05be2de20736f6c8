limit = { $sim }：本周期漫游已用 { $used }，上限为 { $limit }。
