runs-out = { $sim }: at this rate the data runs out on { $day }; the cycle lasts until { $end }. { $remaining } left.
