limit = { $sim }: { $used } used while roaming in this cycle; the limit is { $limit }.
