no-plan = { $sim } has no plan: its usage is counted ({ $used } so far), but nothing tells when it runs out. Add one: simbellctl plan add
