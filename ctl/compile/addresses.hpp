// SPDX-License-Identifier: Apache-2.0
// Which addresses a Gateway listens on, and who gets an address and port that several ask for: of an address of a pool who has it, else the
// oldest Gateway. The loser says who has it; its other listeners serve.
#pragma once

#include <set>
#include <vector>

#include "ctl/compile/listeners.hpp"

namespace penstock::compile {

struct AddressContext {
    const Options& options;
    const model::Store& before;  // of the compilation before: tells who changed its class
    const AddressBook* told;     // what Gateways have by somebody who speaks for all nodes; it goes before the book, and may be null
    const std::set<IpAddress>& others;  // own addresses of the other nodes
};

// What is wrong with its GatewayClass; "": nothing. One of a class that is not good goes on with what it has of the class' pool, and gets nothing else.
[[nodiscard]] std::string class_fault(const Front& front, const GatewayFront& gateway);

// Fills the addresses of Gateways and listeners, and their conditions. The result: every address that some Gateway claims, but those that one
// without a pool has because they are another node's own. `book` says what Gateways had of pools before, and then what they have now; it may
// be null, and stays the same object if nothing changed. A Gateway that is refused stays in it, so that it gets back what it had.
[[nodiscard]] std::vector<ClaimedAddress> assign_addresses(Front& front, const AddressContext& context, AddressBookPtr& book);

}  // namespace penstock::compile
