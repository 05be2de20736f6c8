mod behaviour;
mod bus;
mod client;
mod mmcli;
mod program;
mod real;
mod scenarios;
