//! What Grepzilla promises, told on a real cluster. Run by `make e2e`; the stories run one after another, by name, because
//! they share one machine and most of them one `GrepzillaCluster`.

mod a_ten_lines;
mod b_real_documents;
mod c_killed_pods;
mod d_a_pod_held_down;
mod e_without_operator_and_etcd;
mod f_more_nodes;
mod g_refused_edits;
mod h_deletion;
mod i_two_clusters;
mod j_steady_state;
mod world;
