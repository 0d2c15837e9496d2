//! The plugins of the guide, one file each. A page shows the file, and runs the plugin.
//!
//! For a plugin each file is compiled alone, as an example of this package; their unit tests are compiled together, here.
#![cfg(test)]

mod above;
mod bright;
mod brightest;
mod columns;
mod dose;
mod events;
mod faulty;
mod friedel;
mod hits;
mod lines;
mod mean;
mod median;
mod onto;
mod radius;
mod radius_fast;
mod ratio;
mod ring;
mod rms;
mod row_sums;
mod saturated;
mod steps;
mod threshold;
