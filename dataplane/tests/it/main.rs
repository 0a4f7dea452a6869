//! The node as a process, seen from outside: what it answers, what it logs, how it finds the others.

mod etcd;
mod garbage;
mod lifecycle;
mod process;
mod samples;
mod trace;
