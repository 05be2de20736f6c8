message = { $sim }：{ $number } 发来短信：{ $text }
