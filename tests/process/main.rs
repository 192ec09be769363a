//! Real processes on a real database, killed, stopped and watched from outside.

mod kill;
mod pause;
mod several;
mod site;
mod stop;
