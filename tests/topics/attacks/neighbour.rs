//! Others on the machine: full disks, threads and descriptors that are gone, folders that are theirs.

mod cache;
mod descriptors;
mod logs;
mod startup;
mod threads;
