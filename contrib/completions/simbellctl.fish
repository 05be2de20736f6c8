# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_simbellctl_global_optspecs
    string join \n socket= json h/help V/version
end

function __fish_simbellctl_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_simbellctl_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_simbellctl_using_subcommand
    set -l cmd (__fish_simbellctl_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c simbellctl -n "__fish_simbellctl_needs_command" -l socket -d 'The service\'s socket' -r -F
complete -c simbellctl -n "__fish_simbellctl_needs_command" -l json -d 'Print JSON: one object on one line, or one object a line for lists and streams'
complete -c simbellctl -n "__fish_simbellctl_needs_command" -s h -l help -d 'Print help'
complete -c simbellctl -n "__fish_simbellctl_needs_command" -s V -l version -d 'Print version'
complete -c simbellctl -n "__fish_simbellctl_needs_command" -f -a "status" -d 'Show the service, its SIMs, reminders and channels'
complete -c simbellctl -n "__fish_simbellctl_needs_command" -f -a "sims" -d 'List the SIMs that are known'
complete -c simbellctl -n "__fish_simbellctl_needs_command" -f -a "usage" -d 'Show what was used, by hour, day or cycle; or say what it really is'
complete -c simbellctl -n "__fish_simbellctl_needs_command" -f -a "import" -d 'Take in usage that another program measured'
complete -c simbellctl -n "__fish_simbellctl_needs_command" -f -a "plan" -d 'Show, add or check plans'
complete -c simbellctl -n "__fish_simbellctl_needs_command" -f -a "rules" -d 'List or check rules'
complete -c simbellctl -n "__fish_simbellctl_needs_command" -f -a "plugins" -d 'List, enable, disable, approve or check plugins'
complete -c simbellctl -n "__fish_simbellctl_needs_command" -f -a "reminders" -d 'List, acknowledge or snooze reminders'
complete -c simbellctl -n "__fish_simbellctl_needs_command" -f -a "channels" -d 'List or test channels'
complete -c simbellctl -n "__fish_simbellctl_needs_command" -f -a "backup" -d 'Make, list or take back copies of the ledger'
complete -c simbellctl -n "__fish_simbellctl_needs_command" -f -a "watch" -d 'Follow what happens'
complete -c simbellctl -n "__fish_simbellctl_needs_command" -f -a "reload" -d 'Have the service read its configuration, rules and plugins again'
complete -c simbellctl -n "__fish_simbellctl_needs_command" -f -a "config" -d 'Check the configuration without the service'
complete -c simbellctl -n "__fish_simbellctl_needs_command" -f -a "bug-report" -d 'Save a recording of what happened, pseudonymised, to report a bug with'
complete -c simbellctl -n "__fish_simbellctl_needs_command" -f -a "version" -d 'Show the versions of this program and of the service'
complete -c simbellctl -n "__fish_simbellctl_needs_command" -f -a "completions" -d 'Print completions for a shell'
complete -c simbellctl -n "__fish_simbellctl_needs_command" -f -a "man" -d 'Print the manual page, or write every page to a directory'
complete -c simbellctl -n "__fish_simbellctl_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand status" -l socket -d 'The service\'s socket' -r -F
complete -c simbellctl -n "__fish_simbellctl_using_subcommand status" -l check -d 'Exit with 5 when anything is wrong: a warning, or ModemManager absent'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand status" -l json -d 'Print JSON: one object on one line, or one object a line for lists and streams'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand status" -s h -l help -d 'Print help'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand status" -s V -l version -d 'Print version'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand sims" -l socket -d 'The service\'s socket' -r -F
complete -c simbellctl -n "__fish_simbellctl_using_subcommand sims" -l json -d 'Print JSON: one object on one line, or one object a line for lists and streams'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand sims" -s h -l help -d 'Print help'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand sims" -s V -l version -d 'Print version'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand usage; and not __fish_seen_subcommand_from export set corrections undo observe observations withdraw calls sms explain help" -l sim -d 'Of this SIM, by name or ICCID; of every SIM unless given' -r
complete -c simbellctl -n "__fish_simbellctl_using_subcommand usage; and not __fish_seen_subcommand_from export set corrections undo observe observations withdraw calls sms explain help" -l by -d 'How to add up' -r -f -a "hour\t'By the hour'
day\t'By the day, in the plan\'s zone'
cycle\t'By the billing cycle'"
complete -c simbellctl -n "__fish_simbellctl_using_subcommand usage; and not __fish_seen_subcommand_from export set corrections undo observe observations withdraw calls sms explain help" -l from -d 'From this date or RFC 3339 time on, by whole hours; from the beginning of the cycle unless given' -r
complete -c simbellctl -n "__fish_simbellctl_using_subcommand usage; and not __fish_seen_subcommand_from export set corrections undo observe observations withdraw calls sms explain help" -l to -d 'Until before this date or RFC 3339 time, by whole hours; until now unless given' -r
complete -c simbellctl -n "__fish_simbellctl_using_subcommand usage; and not __fish_seen_subcommand_from export set corrections undo observe observations withdraw calls sms explain help" -l check -d 'Exit with 5 when a SIM has used this much of its cycle\'s allowance (80%), or this much data (5GB), or more' -r
complete -c simbellctl -n "__fish_simbellctl_using_subcommand usage; and not __fish_seen_subcommand_from export set corrections undo observe observations withdraw calls sms explain help" -l socket -d 'The service\'s socket' -r -F
complete -c simbellctl -n "__fish_simbellctl_using_subcommand usage; and not __fish_seen_subcommand_from export set corrections undo observe observations withdraw calls sms explain help" -l json -d 'Print JSON: one object on one line, or one object a line for lists and streams'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand usage; and not __fish_seen_subcommand_from export set corrections undo observe observations withdraw calls sms explain help" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand usage; and not __fish_seen_subcommand_from export set corrections undo observe observations withdraw calls sms explain help" -s V -l version -d 'Print version'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand usage; and not __fish_seen_subcommand_from export set corrections undo observe observations withdraw calls sms explain help" -f -a "export" -d 'Write everything, with corrections and gaps, for a spreadsheet or another program'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand usage; and not __fish_seen_subcommand_from export set corrections undo observe observations withdraw calls sms explain help" -f -a "set" -d 'Say what the usage of the cycle really is, such as 6GB, by a correction in the ledger'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand usage; and not __fish_seen_subcommand_from export set corrections undo observe observations withdraw calls sms explain help" -f -a "corrections" -d 'List the corrections in the ledger, those taken back included'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand usage; and not __fish_seen_subcommand_from export set corrections undo observe observations withdraw calls sms explain help" -f -a "undo" -d 'Take a correction back, by another one'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand usage; and not __fish_seen_subcommand_from export set corrections undo observe observations withdraw calls sms explain help" -f -a "observe" -d 'Tell what the carrier says was used in the cycle, such as 4.2GB: nothing is corrected, but its way of counting learnt'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand usage; and not __fish_seen_subcommand_from export set corrections undo observe observations withdraw calls sms explain help" -f -a "observations" -d 'List the carrier\'s figures and what each taught'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand usage; and not __fish_seen_subcommand_from export set corrections undo observe observations withdraw calls sms explain help" -f -a "withdraw" -d 'Take one of the carrier\'s figures back'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand usage; and not __fish_seen_subcommand_from export set corrections undo observe observations withdraw calls sms explain help" -f -a "calls" -d 'Show calls by way, kind of number and zone'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand usage; and not __fish_seen_subcommand_from export set corrections undo observe observations withdraw calls sms explain help" -f -a "sms" -d 'Show short messages by way and zone'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand usage; and not __fish_seen_subcommand_from export set corrections undo observe observations withdraw calls sms explain help" -f -a "explain" -d 'Show what a total is made of, to the byte: each counter, connection, gap and correction'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand usage; and not __fish_seen_subcommand_from export set corrections undo observe observations withdraw calls sms explain help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand usage; and __fish_seen_subcommand_from export" -l sim -d 'Of this SIM, by name or ICCID; of every SIM unless given' -r
complete -c simbellctl -n "__fish_simbellctl_using_subcommand usage; and __fish_seen_subcommand_from export" -l by -d 'How to add up' -r -f -a "hour\t'By the hour'
day\t'By the day, in the plan\'s zone'
cycle\t'By the billing cycle'"
complete -c simbellctl -n "__fish_simbellctl_using_subcommand usage; and __fish_seen_subcommand_from export" -l from -d 'From this date or RFC 3339 time on, by whole hours; everything there is unless given' -r
complete -c simbellctl -n "__fish_simbellctl_using_subcommand usage; and __fish_seen_subcommand_from export" -l to -d 'Until before this date or RFC 3339 time, by whole hours; until now unless given' -r
complete -c simbellctl -n "__fish_simbellctl_using_subcommand usage; and __fish_seen_subcommand_from export" -l format -d 'JSON, one object a line, or CSV; JSON unless given' -r -f -a "json\t'One object a line'
csv\t'Comma-separated, with a heading (RFC 4180)'"
complete -c simbellctl -n "__fish_simbellctl_using_subcommand usage; and __fish_seen_subcommand_from export" -s o -l output -d 'Where to save it, in a file that is not there yet; standard output unless given' -r -F
complete -c simbellctl -n "__fish_simbellctl_using_subcommand usage; and __fish_seen_subcommand_from export" -l socket -d 'The service\'s socket' -r -F
complete -c simbellctl -n "__fish_simbellctl_using_subcommand usage; and __fish_seen_subcommand_from export" -l force -d 'Replace the file where it is there, once the whole export is written'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand usage; and __fish_seen_subcommand_from export" -l json -d 'Print JSON: one object on one line, or one object a line for lists and streams'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand usage; and __fish_seen_subcommand_from export" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand usage; and __fish_seen_subcommand_from export" -s V -l version -d 'Print version'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand usage; and __fish_seen_subcommand_from set" -l sim -d 'Of this SIM, by name or ICCID; may be left out where there is only one' -r
complete -c simbellctl -n "__fish_simbellctl_using_subcommand usage; and __fish_seen_subcommand_from set" -l reason -d 'Why, for the ledger' -r
complete -c simbellctl -n "__fish_simbellctl_using_subcommand usage; and __fish_seen_subcommand_from set" -l socket -d 'The service\'s socket' -r -F
complete -c simbellctl -n "__fish_simbellctl_using_subcommand usage; and __fish_seen_subcommand_from set" -l json -d 'Print JSON: one object on one line, or one object a line for lists and streams'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand usage; and __fish_seen_subcommand_from set" -s h -l help -d 'Print help'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand usage; and __fish_seen_subcommand_from set" -s V -l version -d 'Print version'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand usage; and __fish_seen_subcommand_from corrections" -l sim -d 'Of this SIM, by name or ICCID; of every SIM unless given' -r
complete -c simbellctl -n "__fish_simbellctl_using_subcommand usage; and __fish_seen_subcommand_from corrections" -l socket -d 'The service\'s socket' -r -F
complete -c simbellctl -n "__fish_simbellctl_using_subcommand usage; and __fish_seen_subcommand_from corrections" -l json -d 'Print JSON: one object on one line, or one object a line for lists and streams'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand usage; and __fish_seen_subcommand_from corrections" -s h -l help -d 'Print help'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand usage; and __fish_seen_subcommand_from corrections" -s V -l version -d 'Print version'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand usage; and __fish_seen_subcommand_from undo" -l reason -d 'Why, for the ledger' -r
complete -c simbellctl -n "__fish_simbellctl_using_subcommand usage; and __fish_seen_subcommand_from undo" -l socket -d 'The service\'s socket' -r -F
complete -c simbellctl -n "__fish_simbellctl_using_subcommand usage; and __fish_seen_subcommand_from undo" -l json -d 'Print JSON: one object on one line, or one object a line for lists and streams'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand usage; and __fish_seen_subcommand_from undo" -s h -l help -d 'Print help'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand usage; and __fish_seen_subcommand_from undo" -s V -l version -d 'Print version'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand usage; and __fish_seen_subcommand_from observe" -l sim -d 'Of this SIM, by name or ICCID; may be left out where there is only one' -r
complete -c simbellctl -n "__fish_simbellctl_using_subcommand usage; and __fish_seen_subcommand_from observe" -l at -d 'When the figure held, a date or RFC 3339 time; now unless given' -r
complete -c simbellctl -n "__fish_simbellctl_using_subcommand usage; and __fish_seen_subcommand_from observe" -l note -d 'Where it comes from, for the ledger' -r
complete -c simbellctl -n "__fish_simbellctl_using_subcommand usage; and __fish_seen_subcommand_from observe" -l socket -d 'The service\'s socket' -r -F
complete -c simbellctl -n "__fish_simbellctl_using_subcommand usage; and __fish_seen_subcommand_from observe" -l json -d 'Print JSON: one object on one line, or one object a line for lists and streams'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand usage; and __fish_seen_subcommand_from observe" -s h -l help -d 'Print help'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand usage; and __fish_seen_subcommand_from observe" -s V -l version -d 'Print version'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand usage; and __fish_seen_subcommand_from observations" -l sim -d 'Of this SIM, by name or ICCID; of every SIM unless given' -r
complete -c simbellctl -n "__fish_simbellctl_using_subcommand usage; and __fish_seen_subcommand_from observations" -l socket -d 'The service\'s socket' -r -F
complete -c simbellctl -n "__fish_simbellctl_using_subcommand usage; and __fish_seen_subcommand_from observations" -l json -d 'Print JSON: one object on one line, or one object a line for lists and streams'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand usage; and __fish_seen_subcommand_from observations" -s h -l help -d 'Print help'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand usage; and __fish_seen_subcommand_from observations" -s V -l version -d 'Print version'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand usage; and __fish_seen_subcommand_from withdraw" -l reason -d 'Why, for the ledger' -r
complete -c simbellctl -n "__fish_simbellctl_using_subcommand usage; and __fish_seen_subcommand_from withdraw" -l socket -d 'The service\'s socket' -r -F
complete -c simbellctl -n "__fish_simbellctl_using_subcommand usage; and __fish_seen_subcommand_from withdraw" -l json -d 'Print JSON: one object on one line, or one object a line for lists and streams'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand usage; and __fish_seen_subcommand_from withdraw" -s h -l help -d 'Print help'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand usage; and __fish_seen_subcommand_from withdraw" -s V -l version -d 'Print version'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand usage; and __fish_seen_subcommand_from calls" -l sim -d 'Of this SIM, by name or ICCID; of every SIM unless given' -r
complete -c simbellctl -n "__fish_simbellctl_using_subcommand usage; and __fish_seen_subcommand_from calls" -l by -d 'How to add up' -r -f -a "hour\t'By the hour'
day\t'By the day, in the plan\'s zone'
cycle\t'By the billing cycle'"
complete -c simbellctl -n "__fish_simbellctl_using_subcommand usage; and __fish_seen_subcommand_from calls" -l from -d 'From this date or RFC 3339 time on; from the beginning of the cycle unless given' -r
complete -c simbellctl -n "__fish_simbellctl_using_subcommand usage; and __fish_seen_subcommand_from calls" -l to -d 'Until before this date or RFC 3339 time; until now unless given' -r
complete -c simbellctl -n "__fish_simbellctl_using_subcommand usage; and __fish_seen_subcommand_from calls" -l socket -d 'The service\'s socket' -r -F
complete -c simbellctl -n "__fish_simbellctl_using_subcommand usage; and __fish_seen_subcommand_from calls" -l json -d 'Print JSON: one object on one line, or one object a line for lists and streams'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand usage; and __fish_seen_subcommand_from calls" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand usage; and __fish_seen_subcommand_from calls" -s V -l version -d 'Print version'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand usage; and __fish_seen_subcommand_from sms" -l sim -d 'Of this SIM, by name or ICCID; of every SIM unless given' -r
complete -c simbellctl -n "__fish_simbellctl_using_subcommand usage; and __fish_seen_subcommand_from sms" -l by -d 'How to add up' -r -f -a "hour\t'By the hour'
day\t'By the day, in the plan\'s zone'
cycle\t'By the billing cycle'"
complete -c simbellctl -n "__fish_simbellctl_using_subcommand usage; and __fish_seen_subcommand_from sms" -l from -d 'From this date or RFC 3339 time on; from the beginning of the cycle unless given' -r
complete -c simbellctl -n "__fish_simbellctl_using_subcommand usage; and __fish_seen_subcommand_from sms" -l to -d 'Until before this date or RFC 3339 time; until now unless given' -r
complete -c simbellctl -n "__fish_simbellctl_using_subcommand usage; and __fish_seen_subcommand_from sms" -l socket -d 'The service\'s socket' -r -F
complete -c simbellctl -n "__fish_simbellctl_using_subcommand usage; and __fish_seen_subcommand_from sms" -l json -d 'Print JSON: one object on one line, or one object a line for lists and streams'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand usage; and __fish_seen_subcommand_from sms" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand usage; and __fish_seen_subcommand_from sms" -s V -l version -d 'Print version'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand usage; and __fish_seen_subcommand_from explain" -l sim -d 'Of this SIM, by name or ICCID; may be left out where there is only one' -r
complete -c simbellctl -n "__fish_simbellctl_using_subcommand usage; and __fish_seen_subcommand_from explain" -l day -d 'Of this day in the plan\'s zone, such as 2026-11-22' -r
complete -c simbellctl -n "__fish_simbellctl_using_subcommand usage; and __fish_seen_subcommand_from explain" -l cycle -d 'Of the billing cycle that this day lies in; of the cycle of now unless given' -r
complete -c simbellctl -n "__fish_simbellctl_using_subcommand usage; and __fish_seen_subcommand_from explain" -l from -d 'From this date or RFC 3339 time on, by whole hours; from the beginning of the cycle unless given' -r
complete -c simbellctl -n "__fish_simbellctl_using_subcommand usage; and __fish_seen_subcommand_from explain" -l to -d 'Until before this date or RFC 3339 time, by whole hours; until now unless given' -r
complete -c simbellctl -n "__fish_simbellctl_using_subcommand usage; and __fish_seen_subcommand_from explain" -l socket -d 'The service\'s socket' -r -F
complete -c simbellctl -n "__fish_simbellctl_using_subcommand usage; and __fish_seen_subcommand_from explain" -l json -d 'Print JSON: one object on one line, or one object a line for lists and streams'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand usage; and __fish_seen_subcommand_from explain" -s h -l help -d 'Print help'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand usage; and __fish_seen_subcommand_from explain" -s V -l version -d 'Print version'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand usage; and __fish_seen_subcommand_from help" -f -a "export" -d 'Write everything, with corrections and gaps, for a spreadsheet or another program'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand usage; and __fish_seen_subcommand_from help" -f -a "set" -d 'Say what the usage of the cycle really is, such as 6GB, by a correction in the ledger'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand usage; and __fish_seen_subcommand_from help" -f -a "corrections" -d 'List the corrections in the ledger, those taken back included'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand usage; and __fish_seen_subcommand_from help" -f -a "undo" -d 'Take a correction back, by another one'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand usage; and __fish_seen_subcommand_from help" -f -a "observe" -d 'Tell what the carrier says was used in the cycle, such as 4.2GB: nothing is corrected, but its way of counting learnt'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand usage; and __fish_seen_subcommand_from help" -f -a "observations" -d 'List the carrier\'s figures and what each taught'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand usage; and __fish_seen_subcommand_from help" -f -a "withdraw" -d 'Take one of the carrier\'s figures back'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand usage; and __fish_seen_subcommand_from help" -f -a "calls" -d 'Show calls by way, kind of number and zone'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand usage; and __fish_seen_subcommand_from help" -f -a "sms" -d 'Show short messages by way and zone'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand usage; and __fish_seen_subcommand_from help" -f -a "explain" -d 'Show what a total is made of, to the byte: each counter, connection, gap and correction'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand usage; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand import; and not __fish_seen_subcommand_from vnstat undo help" -l socket -d 'The service\'s socket' -r -F
complete -c simbellctl -n "__fish_simbellctl_using_subcommand import; and not __fish_seen_subcommand_from vnstat undo help" -l json -d 'Print JSON: one object on one line, or one object a line for lists and streams'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand import; and not __fish_seen_subcommand_from vnstat undo help" -s h -l help -d 'Print help'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand import; and not __fish_seen_subcommand_from vnstat undo help" -s V -l version -d 'Print version'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand import; and not __fish_seen_subcommand_from vnstat undo help" -f -a "vnstat" -d 'Take in what a vnStat 2 database says of an interface, where the ledger has no entry of that time'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand import; and not __fish_seen_subcommand_from vnstat undo help" -f -a "undo" -d 'Take out again what was imported of an interface'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand import; and not __fish_seen_subcommand_from vnstat undo help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand import; and __fish_seen_subcommand_from vnstat" -l interface -d 'The interface that the SIM used' -r
complete -c simbellctl -n "__fish_simbellctl_using_subcommand import; and __fish_seen_subcommand_from vnstat" -l sim -d 'Of this SIM, by name or ICCID; may be left out where there is only one' -r
complete -c simbellctl -n "__fish_simbellctl_using_subcommand import; and __fish_seen_subcommand_from vnstat" -l socket -d 'The service\'s socket' -r -F
complete -c simbellctl -n "__fish_simbellctl_using_subcommand import; and __fish_seen_subcommand_from vnstat" -l dry-run -d 'Only say what would become of it'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand import; and __fish_seen_subcommand_from vnstat" -l json -d 'Print JSON: one object on one line, or one object a line for lists and streams'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand import; and __fish_seen_subcommand_from vnstat" -s h -l help -d 'Print help'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand import; and __fish_seen_subcommand_from vnstat" -s V -l version -d 'Print version'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand import; and __fish_seen_subcommand_from undo" -l interface -d 'The interface' -r
complete -c simbellctl -n "__fish_simbellctl_using_subcommand import; and __fish_seen_subcommand_from undo" -l sim -d 'Of this SIM, by name or ICCID; may be left out where there is only one' -r
complete -c simbellctl -n "__fish_simbellctl_using_subcommand import; and __fish_seen_subcommand_from undo" -l socket -d 'The service\'s socket' -r -F
complete -c simbellctl -n "__fish_simbellctl_using_subcommand import; and __fish_seen_subcommand_from undo" -l json -d 'Print JSON: one object on one line, or one object a line for lists and streams'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand import; and __fish_seen_subcommand_from undo" -s h -l help -d 'Print help'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand import; and __fish_seen_subcommand_from undo" -s V -l version -d 'Print version'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand import; and __fish_seen_subcommand_from help" -f -a "vnstat" -d 'Take in what a vnStat 2 database says of an interface, where the ledger has no entry of that time'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand import; and __fish_seen_subcommand_from help" -f -a "undo" -d 'Take out again what was imported of an interface'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand import; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand plan; and not __fish_seen_subcommand_from show add check help" -l sim -d 'Of this SIM, by name or ICCID' -r
complete -c simbellctl -n "__fish_simbellctl_using_subcommand plan; and not __fish_seen_subcommand_from show add check help" -l socket -d 'The service\'s socket' -r -F
complete -c simbellctl -n "__fish_simbellctl_using_subcommand plan; and not __fish_seen_subcommand_from show add check help" -l json -d 'Print JSON: one object on one line, or one object a line for lists and streams'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand plan; and not __fish_seen_subcommand_from show add check help" -s h -l help -d 'Print help'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand plan; and not __fish_seen_subcommand_from show add check help" -s V -l version -d 'Print version'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand plan; and not __fish_seen_subcommand_from show add check help" -f -a "show" -d 'Show the plans'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand plan; and not __fish_seen_subcommand_from show add check help" -f -a "add" -d 'Make a plan: asks what is not given, and prints the block for the configuration'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand plan; and not __fish_seen_subcommand_from show add check help" -f -a "check" -d 'Check the plans of the configuration without the service'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand plan; and not __fish_seen_subcommand_from show add check help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand plan; and __fish_seen_subcommand_from show" -l sim -d 'Of this SIM, by name or ICCID' -r
complete -c simbellctl -n "__fish_simbellctl_using_subcommand plan; and __fish_seen_subcommand_from show" -l socket -d 'The service\'s socket' -r -F
complete -c simbellctl -n "__fish_simbellctl_using_subcommand plan; and __fish_seen_subcommand_from show" -l json -d 'Print JSON: one object on one line, or one object a line for lists and streams'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand plan; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand plan; and __fish_seen_subcommand_from show" -s V -l version -d 'Print version'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand plan; and __fish_seen_subcommand_from add" -l sim -d 'For this SIM that the service knows, by name or ICCID' -r
complete -c simbellctl -n "__fish_simbellctl_using_subcommand plan; and __fish_seen_subcommand_from add" -l iccid -d 'For the SIM with this ICCID, known or not' -r
complete -c simbellctl -n "__fish_simbellctl_using_subcommand plan; and __fish_seen_subcommand_from add" -l sim-name -d 'What to call the SIM' -r
complete -c simbellctl -n "__fish_simbellctl_using_subcommand plan; and __fish_seen_subcommand_from add" -l name -d 'What to call the plan' -r
complete -c simbellctl -n "__fish_simbellctl_using_subcommand plan; and __fish_seen_subcommand_from add" -l data -d 'The allowance, such as 6GB, or `unlimited`' -r
complete -c simbellctl -n "__fish_simbellctl_using_subcommand plan; and __fish_seen_subcommand_from add" -l every -d 'How long it lasts: `month`, a length such as `30 days` or `4 weeks`, or `used` for a bucket with no end' -r
complete -c simbellctl -n "__fish_simbellctl_using_subcommand plan; and __fish_seen_subcommand_from add" -l day -d 'The day a month\'s cycle starts on: 1 to 31, or `last`' -r
complete -c simbellctl -n "__fish_simbellctl_using_subcommand plan; and __fish_seen_subcommand_from add" -l start -d 'First day of a bundle or bucket, such as 2026-11-01' -r
complete -c simbellctl -n "__fish_simbellctl_using_subcommand plan; and __fish_seen_subcommand_from add" -l renews -d 'Whether a new bundle follows by itself; it does unless given' -r -f -a "true\t''
false\t''"
complete -c simbellctl -n "__fish_simbellctl_using_subcommand plan; and __fish_seen_subcommand_from add" -l counts -d 'Which direction counts; both unless given, `max` for the one that carried more' -r -f -a "both\t''
download\t''
upload\t''
max\t''"
complete -c simbellctl -n "__fish_simbellctl_using_subcommand plan; and __fish_seen_subcommand_from add" -l increment -d 'The step that the carrier rounds up to, such as 100kB; each byte unless given' -r
complete -c simbellctl -n "__fish_simbellctl_using_subcommand plan; and __fish_seen_subcommand_from add" -l per -d 'What is rounded up to it' -r -f -a "session\t''
day\t''"
complete -c simbellctl -n "__fish_simbellctl_using_subcommand plan; and __fish_seen_subcommand_from add" -l free -d 'Local hours that cost nothing, such as 00:00-06:00; may be given again' -r
complete -c simbellctl -n "__fish_simbellctl_using_subcommand plan; and __fish_seen_subcommand_from add" -l timezone -d 'Time zone of its days, such as Europe/Berlin; this machine\'s unless given' -r
complete -c simbellctl -n "__fish_simbellctl_using_subcommand plan; and __fish_seen_subcommand_from add" -l write -d 'Write the block to a file, conf.d/plan-NAME.toml of the configuration unless given' -r -F
complete -c simbellctl -n "__fish_simbellctl_using_subcommand plan; and __fish_seen_subcommand_from add" -l config -d 'The service\'s configuration [default: /etc/simbell]' -r -F
complete -c simbellctl -n "__fish_simbellctl_using_subcommand plan; and __fish_seen_subcommand_from add" -l socket -d 'The service\'s socket' -r -F
complete -c simbellctl -n "__fish_simbellctl_using_subcommand plan; and __fish_seen_subcommand_from add" -l roaming-free -d 'What is used while roaming does not count'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand plan; and __fish_seen_subcommand_from add" -l json -d 'Print JSON: one object on one line, or one object a line for lists and streams'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand plan; and __fish_seen_subcommand_from add" -s h -l help -d 'Print help'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand plan; and __fish_seen_subcommand_from add" -s V -l version -d 'Print version'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand plan; and __fish_seen_subcommand_from check" -l socket -d 'The service\'s socket' -r -F
complete -c simbellctl -n "__fish_simbellctl_using_subcommand plan; and __fish_seen_subcommand_from check" -l json -d 'Print JSON: one object on one line, or one object a line for lists and streams'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand plan; and __fish_seen_subcommand_from check" -s h -l help -d 'Print help'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand plan; and __fish_seen_subcommand_from check" -s V -l version -d 'Print version'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand plan; and __fish_seen_subcommand_from help" -f -a "show" -d 'Show the plans'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand plan; and __fish_seen_subcommand_from help" -f -a "add" -d 'Make a plan: asks what is not given, and prints the block for the configuration'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand plan; and __fish_seen_subcommand_from help" -f -a "check" -d 'Check the plans of the configuration without the service'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand plan; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand rules; and not __fish_seen_subcommand_from list why test trace resume check new reference replay help" -l socket -d 'The service\'s socket' -r -F
complete -c simbellctl -n "__fish_simbellctl_using_subcommand rules; and not __fish_seen_subcommand_from list why test trace resume check new reference replay help" -l json -d 'Print JSON: one object on one line, or one object a line for lists and streams'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand rules; and not __fish_seen_subcommand_from list why test trace resume check new reference replay help" -s h -l help -d 'Print help'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand rules; and not __fish_seen_subcommand_from list why test trace resume check new reference replay help" -s V -l version -d 'Print version'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand rules; and not __fish_seen_subcommand_from list why test trace resume check new reference replay help" -f -a "list" -d 'List the rules, those that cannot run included'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand rules; and not __fish_seen_subcommand_from list why test trace resume check new reference replay help" -f -a "why" -d 'Tell why a reminder is as it is, or why a rule says nothing'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand rules; and not __fish_seen_subcommand_from list why test trace resume check new reference replay help" -f -a "test" -d 'Run the tests of rules and channels, without the service'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand rules; and not __fish_seen_subcommand_from list why test trace resume check new reference replay help" -f -a "trace" -d 'Show which lines of a rule ran, by a record of `rules why --json`, without the service'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand rules; and not __fish_seen_subcommand_from list why test trace resume check new reference replay help" -f -a "resume" -d 'Take up a rule again that was suspended because it failed'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand rules; and not __fish_seen_subcommand_from list why test trace resume check new reference replay help" -f -a "check" -d 'Check rules without the service'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand rules; and not __fish_seen_subcommand_from list why test trace resume check new reference replay help" -f -a "new" -d 'Write a new rule with its test, to begin with'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand rules; and not __fish_seen_subcommand_from list why test trace resume check new reference replay help" -f -a "reference" -d 'Print what rules may write: functions, properties, units, limits'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand rules; and not __fish_seen_subcommand_from list why test trace resume check new reference replay help" -f -a "replay" -d 'Show when a rule would have rung in the past, by what the ledger knows'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand rules; and not __fish_seen_subcommand_from list why test trace resume check new reference replay help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand rules; and __fish_seen_subcommand_from list" -l socket -d 'The service\'s socket' -r -F
complete -c simbellctl -n "__fish_simbellctl_using_subcommand rules; and __fish_seen_subcommand_from list" -l json -d 'Print JSON: one object on one line, or one object a line for lists and streams'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand rules; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand rules; and __fish_seen_subcommand_from list" -s V -l version -d 'Print version'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand rules; and __fish_seen_subcommand_from why" -l sim -d 'About this SIM, by name or ICCID, where a rule is named' -r
complete -c simbellctl -n "__fish_simbellctl_using_subcommand rules; and __fish_seen_subcommand_from why" -l config -d 'The service\'s configuration, for the lines [default: /etc/simbell]' -r -F
complete -c simbellctl -n "__fish_simbellctl_using_subcommand rules; and __fish_seen_subcommand_from why" -l socket -d 'The service\'s socket' -r -F
complete -c simbellctl -n "__fish_simbellctl_using_subcommand rules; and __fish_seen_subcommand_from why" -l lines -d 'Show the rule\'s lines and which of them ran, by asking it again on what it saw'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand rules; and __fish_seen_subcommand_from why" -l json -d 'Print JSON: one object on one line, or one object a line for lists and streams'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand rules; and __fish_seen_subcommand_from why" -s h -l help -d 'Print help'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand rules; and __fish_seen_subcommand_from why" -s V -l version -d 'Print version'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand rules; and __fish_seen_subcommand_from test" -l filter -d 'Only tests whose name holds this' -r
complete -c simbellctl -n "__fish_simbellctl_using_subcommand rules; and __fish_seen_subcommand_from test" -l config -d 'The service\'s configuration [default: /etc/simbell]' -r -F
complete -c simbellctl -n "__fish_simbellctl_using_subcommand rules; and __fish_seen_subcommand_from test" -l socket -d 'The service\'s socket' -r -F
complete -c simbellctl -n "__fish_simbellctl_using_subcommand rules; and __fish_seen_subcommand_from test" -l watch -d 'Run them again whenever a file changes, until Ctrl-C'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand rules; and __fish_seen_subcommand_from test" -l json -d 'Print JSON: one object on one line, or one object a line for lists and streams'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand rules; and __fish_seen_subcommand_from test" -s h -l help -d 'Print help'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand rules; and __fish_seen_subcommand_from test" -s V -l version -d 'Print version'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand rules; and __fish_seen_subcommand_from trace" -l config -d 'The service\'s configuration [default: /etc/simbell]' -r -F
complete -c simbellctl -n "__fish_simbellctl_using_subcommand rules; and __fish_seen_subcommand_from trace" -l socket -d 'The service\'s socket' -r -F
complete -c simbellctl -n "__fish_simbellctl_using_subcommand rules; and __fish_seen_subcommand_from trace" -l json -d 'Print JSON: one object on one line, or one object a line for lists and streams'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand rules; and __fish_seen_subcommand_from trace" -s h -l help -d 'Print help'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand rules; and __fish_seen_subcommand_from trace" -s V -l version -d 'Print version'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand rules; and __fish_seen_subcommand_from resume" -l socket -d 'The service\'s socket' -r -F
complete -c simbellctl -n "__fish_simbellctl_using_subcommand rules; and __fish_seen_subcommand_from resume" -l json -d 'Print JSON: one object on one line, or one object a line for lists and streams'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand rules; and __fish_seen_subcommand_from resume" -s h -l help -d 'Print help'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand rules; and __fish_seen_subcommand_from resume" -s V -l version -d 'Print version'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand rules; and __fish_seen_subcommand_from check" -l config -d 'By this configuration, a file or directory: its rules, or its limits where PATH is given' -r -F
complete -c simbellctl -n "__fish_simbellctl_using_subcommand rules; and __fish_seen_subcommand_from check" -l socket -d 'The service\'s socket' -r -F
complete -c simbellctl -n "__fish_simbellctl_using_subcommand rules; and __fish_seen_subcommand_from check" -l json -d 'Print JSON: one object on one line, or one object a line for lists and streams'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand rules; and __fish_seen_subcommand_from check" -s h -l help -d 'Print help'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand rules; and __fish_seen_subcommand_from check" -s V -l version -d 'Print version'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand rules; and __fish_seen_subcommand_from new" -l kind -d 'What it is about: usage, schedule, sms, roaming or health' -r
complete -c simbellctl -n "__fish_simbellctl_using_subcommand rules; and __fish_seen_subcommand_from new" -l dir -d 'The folder it goes into, rather than the configuration\'s or the current one' -r -F
complete -c simbellctl -n "__fish_simbellctl_using_subcommand rules; and __fish_seen_subcommand_from new" -l config -d 'The service\'s configuration [default: /etc/simbell]' -r -F
complete -c simbellctl -n "__fish_simbellctl_using_subcommand rules; and __fish_seen_subcommand_from new" -l socket -d 'The service\'s socket' -r -F
complete -c simbellctl -n "__fish_simbellctl_using_subcommand rules; and __fish_seen_subcommand_from new" -l plugin -d 'A plugin: a folder with settings and texts of its own'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand rules; and __fish_seen_subcommand_from new" -l json -d 'Print JSON: one object on one line, or one object a line for lists and streams'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand rules; and __fish_seen_subcommand_from new" -s h -l help -d 'Print help'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand rules; and __fish_seen_subcommand_from new" -s V -l version -d 'Print version'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand rules; and __fish_seen_subcommand_from reference" -l socket -d 'The service\'s socket' -r -F
complete -c simbellctl -n "__fish_simbellctl_using_subcommand rules; and __fish_seen_subcommand_from reference" -l json -d 'Print JSON: one object on one line, or one object a line for lists and streams'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand rules; and __fish_seen_subcommand_from reference" -s h -l help -d 'Print help'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand rules; and __fish_seen_subcommand_from reference" -s V -l version -d 'Print version'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand rules; and __fish_seen_subcommand_from replay" -l diff -d 'Compare two versions of a rule: what each would have rung' -r -F
complete -c simbellctl -n "__fish_simbellctl_using_subcommand rules; and __fish_seen_subcommand_from replay" -l days -d 'Over so many days up to the end of what is known' -r
complete -c simbellctl -n "__fish_simbellctl_using_subcommand rules; and __fish_seen_subcommand_from replay" -l from -d 'From this date or RFC 3339 time on, instead of --days' -r
complete -c simbellctl -n "__fish_simbellctl_using_subcommand rules; and __fish_seen_subcommand_from replay" -l to -d 'Until before this date or RFC 3339 time; until the end of what is known unless given' -r
complete -c simbellctl -n "__fish_simbellctl_using_subcommand rules; and __fish_seen_subcommand_from replay" -l sim -d 'About this SIM alone, by name or ICCID; about every SIM unless given' -r
complete -c simbellctl -n "__fish_simbellctl_using_subcommand rules; and __fish_seen_subcommand_from replay" -l settings -d 'A setting of the plugin, such as limit=50GB, or steps=["5%","10%"] for a list; may be given again' -r
complete -c simbellctl -n "__fish_simbellctl_using_subcommand rules; and __fish_seen_subcommand_from replay" -l ledger -d 'By this ledger or copy of one, without the service and without changing it' -r -F
complete -c simbellctl -n "__fish_simbellctl_using_subcommand rules; and __fish_seen_subcommand_from replay" -l config -d 'By the plans of this configuration, a file or directory; the system\'s unless given' -r -F
complete -c simbellctl -n "__fish_simbellctl_using_subcommand rules; and __fish_seen_subcommand_from replay" -l socket -d 'The service\'s socket' -r -F
complete -c simbellctl -n "__fish_simbellctl_using_subcommand rules; and __fish_seen_subcommand_from replay" -l check -d 'Exit with 5 when the rule would have rung, or the two versions differ'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand rules; and __fish_seen_subcommand_from replay" -l json -d 'Print JSON: one object on one line, or one object a line for lists and streams'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand rules; and __fish_seen_subcommand_from replay" -s h -l help -d 'Print help'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand rules; and __fish_seen_subcommand_from replay" -s V -l version -d 'Print version'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand rules; and __fish_seen_subcommand_from help" -f -a "list" -d 'List the rules, those that cannot run included'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand rules; and __fish_seen_subcommand_from help" -f -a "why" -d 'Tell why a reminder is as it is, or why a rule says nothing'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand rules; and __fish_seen_subcommand_from help" -f -a "test" -d 'Run the tests of rules and channels, without the service'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand rules; and __fish_seen_subcommand_from help" -f -a "trace" -d 'Show which lines of a rule ran, by a record of `rules why --json`, without the service'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand rules; and __fish_seen_subcommand_from help" -f -a "resume" -d 'Take up a rule again that was suspended because it failed'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand rules; and __fish_seen_subcommand_from help" -f -a "check" -d 'Check rules without the service'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand rules; and __fish_seen_subcommand_from help" -f -a "new" -d 'Write a new rule with its test, to begin with'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand rules; and __fish_seen_subcommand_from help" -f -a "reference" -d 'Print what rules may write: functions, properties, units, limits'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand rules; and __fish_seen_subcommand_from help" -f -a "replay" -d 'Show when a rule would have rung in the past, by what the ledger knows'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand rules; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand plugins; and not __fish_seen_subcommand_from list show enable disable approve check help" -l socket -d 'The service\'s socket' -r -F
complete -c simbellctl -n "__fish_simbellctl_using_subcommand plugins; and not __fish_seen_subcommand_from list show enable disable approve check help" -l json -d 'Print JSON: one object on one line, or one object a line for lists and streams'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand plugins; and not __fish_seen_subcommand_from list show enable disable approve check help" -s h -l help -d 'Print help'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand plugins; and not __fish_seen_subcommand_from list show enable disable approve check help" -s V -l version -d 'Print version'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand plugins; and not __fish_seen_subcommand_from list show enable disable approve check help" -f -a "list" -d 'List the plugins'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand plugins; and not __fish_seen_subcommand_from list show enable disable approve check help" -f -a "show" -d 'Show what a plugin is, what it asks for and what can be set'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand plugins; and not __fish_seen_subcommand_from list show enable disable approve check help" -f -a "enable" -d 'Let a plugin run, and approve what it asks for'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand plugins; and not __fish_seen_subcommand_from list show enable disable approve check help" -f -a "disable" -d 'Switch a plugin off'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand plugins; and not __fish_seen_subcommand_from list show enable disable approve check help" -f -a "approve" -d 'Approve what a plugin asks for, such as after an upgrade'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand plugins; and not __fish_seen_subcommand_from list show enable disable approve check help" -f -a "check" -d 'Check a plugin: its manifest, its script and its texts'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand plugins; and not __fish_seen_subcommand_from list show enable disable approve check help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand plugins; and __fish_seen_subcommand_from list" -l socket -d 'The service\'s socket' -r -F
complete -c simbellctl -n "__fish_simbellctl_using_subcommand plugins; and __fish_seen_subcommand_from list" -l json -d 'Print JSON: one object on one line, or one object a line for lists and streams'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand plugins; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand plugins; and __fish_seen_subcommand_from list" -s V -l version -d 'Print version'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand plugins; and __fish_seen_subcommand_from show" -l socket -d 'The service\'s socket' -r -F
complete -c simbellctl -n "__fish_simbellctl_using_subcommand plugins; and __fish_seen_subcommand_from show" -l json -d 'Print JSON: one object on one line, or one object a line for lists and streams'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand plugins; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand plugins; and __fish_seen_subcommand_from show" -s V -l version -d 'Print version'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand plugins; and __fish_seen_subcommand_from enable" -l socket -d 'The service\'s socket' -r -F
complete -c simbellctl -n "__fish_simbellctl_using_subcommand plugins; and __fish_seen_subcommand_from enable" -l yes -d 'Approve what it asks for without being asked'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand plugins; and __fish_seen_subcommand_from enable" -l json -d 'Print JSON: one object on one line, or one object a line for lists and streams'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand plugins; and __fish_seen_subcommand_from enable" -s h -l help -d 'Print help'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand plugins; and __fish_seen_subcommand_from enable" -s V -l version -d 'Print version'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand plugins; and __fish_seen_subcommand_from disable" -l socket -d 'The service\'s socket' -r -F
complete -c simbellctl -n "__fish_simbellctl_using_subcommand plugins; and __fish_seen_subcommand_from disable" -l json -d 'Print JSON: one object on one line, or one object a line for lists and streams'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand plugins; and __fish_seen_subcommand_from disable" -s h -l help -d 'Print help'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand plugins; and __fish_seen_subcommand_from disable" -s V -l version -d 'Print version'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand plugins; and __fish_seen_subcommand_from approve" -l socket -d 'The service\'s socket' -r -F
complete -c simbellctl -n "__fish_simbellctl_using_subcommand plugins; and __fish_seen_subcommand_from approve" -l yes -d 'Approve without being asked'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand plugins; and __fish_seen_subcommand_from approve" -l json -d 'Print JSON: one object on one line, or one object a line for lists and streams'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand plugins; and __fish_seen_subcommand_from approve" -s h -l help -d 'Print help'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand plugins; and __fish_seen_subcommand_from approve" -s V -l version -d 'Print version'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand plugins; and __fish_seen_subcommand_from check" -l socket -d 'The service\'s socket' -r -F
complete -c simbellctl -n "__fish_simbellctl_using_subcommand plugins; and __fish_seen_subcommand_from check" -l json -d 'Print JSON: one object on one line, or one object a line for lists and streams'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand plugins; and __fish_seen_subcommand_from check" -s h -l help -d 'Print help'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand plugins; and __fish_seen_subcommand_from check" -s V -l version -d 'Print version'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand plugins; and __fish_seen_subcommand_from help" -f -a "list" -d 'List the plugins'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand plugins; and __fish_seen_subcommand_from help" -f -a "show" -d 'Show what a plugin is, what it asks for and what can be set'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand plugins; and __fish_seen_subcommand_from help" -f -a "enable" -d 'Let a plugin run, and approve what it asks for'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand plugins; and __fish_seen_subcommand_from help" -f -a "disable" -d 'Switch a plugin off'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand plugins; and __fish_seen_subcommand_from help" -f -a "approve" -d 'Approve what a plugin asks for, such as after an upgrade'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand plugins; and __fish_seen_subcommand_from help" -f -a "check" -d 'Check a plugin: its manifest, its script and its texts'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand plugins; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand reminders; and not __fish_seen_subcommand_from list ack snooze help" -l socket -d 'The service\'s socket' -r -F
complete -c simbellctl -n "__fish_simbellctl_using_subcommand reminders; and not __fish_seen_subcommand_from list ack snooze help" -l check -d 'Exit with 5 when any reminder fires'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand reminders; and not __fish_seen_subcommand_from list ack snooze help" -l json -d 'Print JSON: one object on one line, or one object a line for lists and streams'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand reminders; and not __fish_seen_subcommand_from list ack snooze help" -s h -l help -d 'Print help'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand reminders; and not __fish_seen_subcommand_from list ack snooze help" -s V -l version -d 'Print version'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand reminders; and not __fish_seen_subcommand_from list ack snooze help" -f -a "list" -d 'List the reminders that are not resolved'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand reminders; and not __fish_seen_subcommand_from list ack snooze help" -f -a "ack" -d 'Acknowledge a reminder: it is not said again while it holds'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand reminders; and not __fish_seen_subcommand_from list ack snooze help" -f -a "snooze" -d 'Put a reminder off'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand reminders; and not __fish_seen_subcommand_from list ack snooze help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand reminders; and __fish_seen_subcommand_from list" -l socket -d 'The service\'s socket' -r -F
complete -c simbellctl -n "__fish_simbellctl_using_subcommand reminders; and __fish_seen_subcommand_from list" -l check -d 'Exit with 5 when any reminder fires'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand reminders; and __fish_seen_subcommand_from list" -l json -d 'Print JSON: one object on one line, or one object a line for lists and streams'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand reminders; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand reminders; and __fish_seen_subcommand_from list" -s V -l version -d 'Print version'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand reminders; and __fish_seen_subcommand_from ack" -l socket -d 'The service\'s socket' -r -F
complete -c simbellctl -n "__fish_simbellctl_using_subcommand reminders; and __fish_seen_subcommand_from ack" -l json -d 'Print JSON: one object on one line, or one object a line for lists and streams'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand reminders; and __fish_seen_subcommand_from ack" -s h -l help -d 'Print help'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand reminders; and __fish_seen_subcommand_from ack" -s V -l version -d 'Print version'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand reminders; and __fish_seen_subcommand_from snooze" -l socket -d 'The service\'s socket' -r -F
complete -c simbellctl -n "__fish_simbellctl_using_subcommand reminders; and __fish_seen_subcommand_from snooze" -l json -d 'Print JSON: one object on one line, or one object a line for lists and streams'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand reminders; and __fish_seen_subcommand_from snooze" -s h -l help -d 'Print help'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand reminders; and __fish_seen_subcommand_from snooze" -s V -l version -d 'Print version'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand reminders; and __fish_seen_subcommand_from help" -f -a "list" -d 'List the reminders that are not resolved'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand reminders; and __fish_seen_subcommand_from help" -f -a "ack" -d 'Acknowledge a reminder: it is not said again while it holds'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand reminders; and __fish_seen_subcommand_from help" -f -a "snooze" -d 'Put a reminder off'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand reminders; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand channels; and not __fish_seen_subcommand_from list test help" -l socket -d 'The service\'s socket' -r -F
complete -c simbellctl -n "__fish_simbellctl_using_subcommand channels; and not __fish_seen_subcommand_from list test help" -l json -d 'Print JSON: one object on one line, or one object a line for lists and streams'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand channels; and not __fish_seen_subcommand_from list test help" -s h -l help -d 'Print help'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand channels; and not __fish_seen_subcommand_from list test help" -s V -l version -d 'Print version'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand channels; and not __fish_seen_subcommand_from list test help" -f -a "list" -d 'List the channels'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand channels; and not __fish_seen_subcommand_from list test help" -f -a "test" -d 'Have a channel say a test message'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand channels; and not __fish_seen_subcommand_from list test help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand channels; and __fish_seen_subcommand_from list" -l socket -d 'The service\'s socket' -r -F
complete -c simbellctl -n "__fish_simbellctl_using_subcommand channels; and __fish_seen_subcommand_from list" -l json -d 'Print JSON: one object on one line, or one object a line for lists and streams'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand channels; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand channels; and __fish_seen_subcommand_from list" -s V -l version -d 'Print version'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand channels; and __fish_seen_subcommand_from test" -l socket -d 'The service\'s socket' -r -F
complete -c simbellctl -n "__fish_simbellctl_using_subcommand channels; and __fish_seen_subcommand_from test" -l json -d 'Print JSON: one object on one line, or one object a line for lists and streams'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand channels; and __fish_seen_subcommand_from test" -s h -l help -d 'Print help'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand channels; and __fish_seen_subcommand_from test" -s V -l version -d 'Print version'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand channels; and __fish_seen_subcommand_from help" -f -a "list" -d 'List the channels'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand channels; and __fish_seen_subcommand_from help" -f -a "test" -d 'Have a channel say a test message'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand channels; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand backup; and not __fish_seen_subcommand_from create list restore help" -l socket -d 'The service\'s socket' -r -F
complete -c simbellctl -n "__fish_simbellctl_using_subcommand backup; and not __fish_seen_subcommand_from create list restore help" -l json -d 'Print JSON: one object on one line, or one object a line for lists and streams'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand backup; and not __fish_seen_subcommand_from create list restore help" -s h -l help -d 'Print help'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand backup; and not __fish_seen_subcommand_from create list restore help" -s V -l version -d 'Print version'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand backup; and not __fish_seen_subcommand_from create list restore help" -f -a "create" -d 'Make a copy of the ledger, while the service runs'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand backup; and not __fish_seen_subcommand_from create list restore help" -f -a "list" -d 'List the copies, newest first'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand backup; and not __fish_seen_subcommand_from create list restore help" -f -a "restore" -d 'Have a copy take the ledger\'s place; the ledger is set aside, and nothing is removed'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand backup; and not __fish_seen_subcommand_from create list restore help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand backup; and __fish_seen_subcommand_from create" -l socket -d 'The service\'s socket' -r -F
complete -c simbellctl -n "__fish_simbellctl_using_subcommand backup; and __fish_seen_subcommand_from create" -l json -d 'Print JSON: one object on one line, or one object a line for lists and streams'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand backup; and __fish_seen_subcommand_from create" -s h -l help -d 'Print help'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand backup; and __fish_seen_subcommand_from create" -s V -l version -d 'Print version'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand backup; and __fish_seen_subcommand_from list" -l socket -d 'The service\'s socket' -r -F
complete -c simbellctl -n "__fish_simbellctl_using_subcommand backup; and __fish_seen_subcommand_from list" -l json -d 'Print JSON: one object on one line, or one object a line for lists and streams'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand backup; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand backup; and __fish_seen_subcommand_from list" -s V -l version -d 'Print version'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand backup; and __fish_seen_subcommand_from restore" -l socket -d 'The service\'s socket' -r -F
complete -c simbellctl -n "__fish_simbellctl_using_subcommand backup; and __fish_seen_subcommand_from restore" -l json -d 'Print JSON: one object on one line, or one object a line for lists and streams'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand backup; and __fish_seen_subcommand_from restore" -s h -l help -d 'Print help'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand backup; and __fish_seen_subcommand_from restore" -s V -l version -d 'Print version'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand backup; and __fish_seen_subcommand_from help" -f -a "create" -d 'Make a copy of the ledger, while the service runs'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand backup; and __fish_seen_subcommand_from help" -f -a "list" -d 'List the copies, newest first'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand backup; and __fish_seen_subcommand_from help" -f -a "restore" -d 'Have a copy take the ledger\'s place; the ledger is set aside, and nothing is removed'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand backup; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand watch" -l socket -d 'The service\'s socket' -r -F
complete -c simbellctl -n "__fish_simbellctl_using_subcommand watch" -l notify -d 'Show reminders as desktop notifications, and wait for the service where it is not there'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand watch" -l json -d 'Print JSON: one object on one line, or one object a line for lists and streams'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand watch" -s h -l help -d 'Print help'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand watch" -s V -l version -d 'Print version'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand reload" -l socket -d 'The service\'s socket' -r -F
complete -c simbellctl -n "__fish_simbellctl_using_subcommand reload" -l json -d 'Print JSON: one object on one line, or one object a line for lists and streams'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand reload" -s h -l help -d 'Print help'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand reload" -s V -l version -d 'Print version'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand config; and not __fish_seen_subcommand_from check help" -l socket -d 'The service\'s socket' -r -F
complete -c simbellctl -n "__fish_simbellctl_using_subcommand config; and not __fish_seen_subcommand_from check help" -l json -d 'Print JSON: one object on one line, or one object a line for lists and streams'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand config; and not __fish_seen_subcommand_from check help" -s h -l help -d 'Print help'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand config; and not __fish_seen_subcommand_from check help" -s V -l version -d 'Print version'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand config; and not __fish_seen_subcommand_from check help" -f -a "check" -d 'Check the configuration, every problem with file, line and key'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand config; and not __fish_seen_subcommand_from check help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand config; and __fish_seen_subcommand_from check" -l config -d 'The same, as the verbs about rules take it' -r -F
complete -c simbellctl -n "__fish_simbellctl_using_subcommand config; and __fish_seen_subcommand_from check" -l socket -d 'The service\'s socket' -r -F
complete -c simbellctl -n "__fish_simbellctl_using_subcommand config; and __fish_seen_subcommand_from check" -l json -d 'Print JSON: one object on one line, or one object a line for lists and streams'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand config; and __fish_seen_subcommand_from check" -s h -l help -d 'Print help'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand config; and __fish_seen_subcommand_from check" -s V -l version -d 'Print version'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand config; and __fish_seen_subcommand_from help" -f -a "check" -d 'Check the configuration, every problem with file, line and key'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand config; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand bug-report" -s o -l output -d 'Where to save it; standard output unless given' -r -F
complete -c simbellctl -n "__fish_simbellctl_using_subcommand bug-report" -l socket -d 'The service\'s socket' -r -F
complete -c simbellctl -n "__fish_simbellctl_using_subcommand bug-report" -l json -d 'Print JSON: one object on one line, or one object a line for lists and streams'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand bug-report" -s h -l help -d 'Print help'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand bug-report" -s V -l version -d 'Print version'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand version" -l socket -d 'The service\'s socket' -r -F
complete -c simbellctl -n "__fish_simbellctl_using_subcommand version" -l json -d 'Print JSON: one object on one line, or one object a line for lists and streams'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand version" -s h -l help -d 'Print help'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand version" -s V -l version -d 'Print version'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand completions" -l socket -d 'The service\'s socket' -r -F
complete -c simbellctl -n "__fish_simbellctl_using_subcommand completions" -l json -d 'Print JSON: one object on one line, or one object a line for lists and streams'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand completions" -s h -l help -d 'Print help'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand completions" -s V -l version -d 'Print version'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand man" -l dir -d 'Write every page to this directory' -r -F
complete -c simbellctl -n "__fish_simbellctl_using_subcommand man" -l socket -d 'The service\'s socket' -r -F
complete -c simbellctl -n "__fish_simbellctl_using_subcommand man" -l json -d 'Print JSON: one object on one line, or one object a line for lists and streams'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand man" -s h -l help -d 'Print help'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand man" -s V -l version -d 'Print version'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand help; and not __fish_seen_subcommand_from status sims usage import plan rules plugins reminders channels backup watch reload config bug-report version completions man help" -f -a "status" -d 'Show the service, its SIMs, reminders and channels'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand help; and not __fish_seen_subcommand_from status sims usage import plan rules plugins reminders channels backup watch reload config bug-report version completions man help" -f -a "sims" -d 'List the SIMs that are known'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand help; and not __fish_seen_subcommand_from status sims usage import plan rules plugins reminders channels backup watch reload config bug-report version completions man help" -f -a "usage" -d 'Show what was used, by hour, day or cycle; or say what it really is'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand help; and not __fish_seen_subcommand_from status sims usage import plan rules plugins reminders channels backup watch reload config bug-report version completions man help" -f -a "import" -d 'Take in usage that another program measured'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand help; and not __fish_seen_subcommand_from status sims usage import plan rules plugins reminders channels backup watch reload config bug-report version completions man help" -f -a "plan" -d 'Show, add or check plans'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand help; and not __fish_seen_subcommand_from status sims usage import plan rules plugins reminders channels backup watch reload config bug-report version completions man help" -f -a "rules" -d 'List or check rules'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand help; and not __fish_seen_subcommand_from status sims usage import plan rules plugins reminders channels backup watch reload config bug-report version completions man help" -f -a "plugins" -d 'List, enable, disable, approve or check plugins'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand help; and not __fish_seen_subcommand_from status sims usage import plan rules plugins reminders channels backup watch reload config bug-report version completions man help" -f -a "reminders" -d 'List, acknowledge or snooze reminders'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand help; and not __fish_seen_subcommand_from status sims usage import plan rules plugins reminders channels backup watch reload config bug-report version completions man help" -f -a "channels" -d 'List or test channels'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand help; and not __fish_seen_subcommand_from status sims usage import plan rules plugins reminders channels backup watch reload config bug-report version completions man help" -f -a "backup" -d 'Make, list or take back copies of the ledger'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand help; and not __fish_seen_subcommand_from status sims usage import plan rules plugins reminders channels backup watch reload config bug-report version completions man help" -f -a "watch" -d 'Follow what happens'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand help; and not __fish_seen_subcommand_from status sims usage import plan rules plugins reminders channels backup watch reload config bug-report version completions man help" -f -a "reload" -d 'Have the service read its configuration, rules and plugins again'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand help; and not __fish_seen_subcommand_from status sims usage import plan rules plugins reminders channels backup watch reload config bug-report version completions man help" -f -a "config" -d 'Check the configuration without the service'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand help; and not __fish_seen_subcommand_from status sims usage import plan rules plugins reminders channels backup watch reload config bug-report version completions man help" -f -a "bug-report" -d 'Save a recording of what happened, pseudonymised, to report a bug with'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand help; and not __fish_seen_subcommand_from status sims usage import plan rules plugins reminders channels backup watch reload config bug-report version completions man help" -f -a "version" -d 'Show the versions of this program and of the service'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand help; and not __fish_seen_subcommand_from status sims usage import plan rules plugins reminders channels backup watch reload config bug-report version completions man help" -f -a "completions" -d 'Print completions for a shell'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand help; and not __fish_seen_subcommand_from status sims usage import plan rules plugins reminders channels backup watch reload config bug-report version completions man help" -f -a "man" -d 'Print the manual page, or write every page to a directory'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand help; and not __fish_seen_subcommand_from status sims usage import plan rules plugins reminders channels backup watch reload config bug-report version completions man help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand help; and __fish_seen_subcommand_from usage" -f -a "export" -d 'Write everything, with corrections and gaps, for a spreadsheet or another program'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand help; and __fish_seen_subcommand_from usage" -f -a "set" -d 'Say what the usage of the cycle really is, such as 6GB, by a correction in the ledger'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand help; and __fish_seen_subcommand_from usage" -f -a "corrections" -d 'List the corrections in the ledger, those taken back included'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand help; and __fish_seen_subcommand_from usage" -f -a "undo" -d 'Take a correction back, by another one'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand help; and __fish_seen_subcommand_from usage" -f -a "observe" -d 'Tell what the carrier says was used in the cycle, such as 4.2GB: nothing is corrected, but its way of counting learnt'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand help; and __fish_seen_subcommand_from usage" -f -a "observations" -d 'List the carrier\'s figures and what each taught'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand help; and __fish_seen_subcommand_from usage" -f -a "withdraw" -d 'Take one of the carrier\'s figures back'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand help; and __fish_seen_subcommand_from usage" -f -a "calls" -d 'Show calls by way, kind of number and zone'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand help; and __fish_seen_subcommand_from usage" -f -a "sms" -d 'Show short messages by way and zone'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand help; and __fish_seen_subcommand_from usage" -f -a "explain" -d 'Show what a total is made of, to the byte: each counter, connection, gap and correction'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand help; and __fish_seen_subcommand_from import" -f -a "vnstat" -d 'Take in what a vnStat 2 database says of an interface, where the ledger has no entry of that time'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand help; and __fish_seen_subcommand_from import" -f -a "undo" -d 'Take out again what was imported of an interface'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand help; and __fish_seen_subcommand_from plan" -f -a "show" -d 'Show the plans'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand help; and __fish_seen_subcommand_from plan" -f -a "add" -d 'Make a plan: asks what is not given, and prints the block for the configuration'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand help; and __fish_seen_subcommand_from plan" -f -a "check" -d 'Check the plans of the configuration without the service'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand help; and __fish_seen_subcommand_from rules" -f -a "list" -d 'List the rules, those that cannot run included'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand help; and __fish_seen_subcommand_from rules" -f -a "why" -d 'Tell why a reminder is as it is, or why a rule says nothing'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand help; and __fish_seen_subcommand_from rules" -f -a "test" -d 'Run the tests of rules and channels, without the service'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand help; and __fish_seen_subcommand_from rules" -f -a "trace" -d 'Show which lines of a rule ran, by a record of `rules why --json`, without the service'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand help; and __fish_seen_subcommand_from rules" -f -a "resume" -d 'Take up a rule again that was suspended because it failed'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand help; and __fish_seen_subcommand_from rules" -f -a "check" -d 'Check rules without the service'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand help; and __fish_seen_subcommand_from rules" -f -a "new" -d 'Write a new rule with its test, to begin with'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand help; and __fish_seen_subcommand_from rules" -f -a "reference" -d 'Print what rules may write: functions, properties, units, limits'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand help; and __fish_seen_subcommand_from rules" -f -a "replay" -d 'Show when a rule would have rung in the past, by what the ledger knows'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand help; and __fish_seen_subcommand_from plugins" -f -a "list" -d 'List the plugins'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand help; and __fish_seen_subcommand_from plugins" -f -a "show" -d 'Show what a plugin is, what it asks for and what can be set'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand help; and __fish_seen_subcommand_from plugins" -f -a "enable" -d 'Let a plugin run, and approve what it asks for'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand help; and __fish_seen_subcommand_from plugins" -f -a "disable" -d 'Switch a plugin off'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand help; and __fish_seen_subcommand_from plugins" -f -a "approve" -d 'Approve what a plugin asks for, such as after an upgrade'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand help; and __fish_seen_subcommand_from plugins" -f -a "check" -d 'Check a plugin: its manifest, its script and its texts'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand help; and __fish_seen_subcommand_from reminders" -f -a "list" -d 'List the reminders that are not resolved'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand help; and __fish_seen_subcommand_from reminders" -f -a "ack" -d 'Acknowledge a reminder: it is not said again while it holds'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand help; and __fish_seen_subcommand_from reminders" -f -a "snooze" -d 'Put a reminder off'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand help; and __fish_seen_subcommand_from channels" -f -a "list" -d 'List the channels'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand help; and __fish_seen_subcommand_from channels" -f -a "test" -d 'Have a channel say a test message'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand help; and __fish_seen_subcommand_from backup" -f -a "create" -d 'Make a copy of the ledger, while the service runs'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand help; and __fish_seen_subcommand_from backup" -f -a "list" -d 'List the copies, newest first'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand help; and __fish_seen_subcommand_from backup" -f -a "restore" -d 'Have a copy take the ledger\'s place; the ledger is set aside, and nothing is removed'
complete -c simbellctl -n "__fish_simbellctl_using_subcommand help; and __fish_seen_subcommand_from config" -f -a "check" -d 'Check the configuration, every problem with file, line and key'
