no-plan = { $sim } 还没有套餐：用量照常统计（目前 { $used }），但无法提醒何时用完。请添加：simbellctl plan add
