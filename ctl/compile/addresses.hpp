// SPDX-License-Identifier: Apache-2.0
// Which addresses a Gateway listens on, and who gets an address and port that several ask for: the oldest Gateway. The loser says who
// has it; its other listeners serve.
#pragma once

#include <vector>

#include "ctl/compile/listeners.hpp"

namespace penstock::compile {

// Fills the addresses of Gateways and listeners, and their conditions. The result: every address that some Gateway claims. `book` says what
// Gateways had of pools before, and then what they have now; it may be null, and stays the same object if nothing changed. What `told` says
// that a Gateway has goes before that; it may be null.
[[nodiscard]] std::vector<ClaimedAddress> assign_addresses(Front& front, const Options& options, const AddressBook* told, AddressBookPtr& book);

}  // namespace penstock::compile
