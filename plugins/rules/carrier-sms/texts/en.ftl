message = { $sim }: message from { $number }: { $text }
