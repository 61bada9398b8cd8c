//! What only a cluster shows: several members, brokers that die.
