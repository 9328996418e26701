// SPDX-License-Identifier: Apache-2.0
// apply and delete on an API server: one object after another, each outcome told. What is wrong with the order as a whole (a file, a kind
// that is not served) is found before anything is changed.
#pragma once

#include "ctl/gwctl/command.hpp"

namespace penstock::gwctl {

// Server-side apply with the field manager gwctl.
Result<int> apply_to_cluster(const Arguments& arguments);
Result<int> delete_from_cluster(const Arguments& arguments);

}  // namespace penstock::gwctl
