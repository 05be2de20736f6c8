roaming = { $sim } is roaming. Data may cost extra.
roaming-in = { $sim } is roaming in the network { $network }. Data may cost extra.
