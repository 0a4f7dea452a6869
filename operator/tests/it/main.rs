//! The chart under real helm, and the operator on a real API server and a real etcd.

mod api_server;
mod chart;
mod life;
mod tools;
mod twin;
