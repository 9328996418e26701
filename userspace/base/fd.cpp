// SPDX-License-Identifier: Apache-2.0
#include "userspace/base/fd.hpp"

#include <fcntl.h>

namespace penstock {
Fd Fd::duplicate() const { return Fd(valid() ? ::fcntl(fd_, F_DUPFD_CLOEXEC, 0) : -1); }
}  // namespace penstock
