// SPDX-License-Identifier: Apache-2.0
#include "userspace/base/memfd.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <utility>

namespace penstock {

namespace {
constexpr int kSeals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
}

Result<Fd> sealed_memfd(const std::string& name, std::span<const std::uint8_t> bytes) {
    Fd fd(::memfd_create(name.c_str(), MFD_CLOEXEC | MFD_ALLOW_SEALING));
    if (!fd.valid()) {
        return sys_error("create memory file " + name);
    }
    std::size_t done = 0;
    while (done < bytes.size()) {
        const ssize_t wrote = ::write(fd.get(), bytes.data() + done, bytes.size() - done);
        if (wrote < 0) {
            return sys_error("fill memory file " + name);
        }
        done += static_cast<std::size_t>(wrote);
    }
    if (::fcntl(fd.get(), F_ADD_SEALS, kSeals) != 0) {
        return sys_error("seal memory file " + name);
    }
    return fd;
}

Mapping::Mapping(Mapping&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

Mapping& Mapping::operator=(Mapping&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
}

Mapping::~Mapping() {
    if (data_ != nullptr) {
        ::munmap(const_cast<std::uint8_t*>(data_), size_);
    }
}

Result<Mapping> Mapping::of_sealed(int fd, std::size_t limit) {
    const int seals = ::fcntl(fd, F_GET_SEALS);
    if (seals < 0 || (seals & kSeals) != kSeals) {
        return Error{.code = Errc::invalid, .what = "map memory file: it is not sealed", .hint = {}, .context = {}};
    }
    struct stat info = {};
    if (::fstat(fd, &info) != 0) {
        return sys_error("stat memory file");
    }
    const auto size = static_cast<std::size_t>(info.st_size);
    if (size > limit) {
        return Error{.code = Errc::limit, .what = "map memory file: too large", .hint = {}, .context = {}};
    }
    Mapping mapping;
    if (size == 0) {
        return mapping;
    }
    // MAP_PRIVATE: of a file sealed against writing, Linux before 6.7 refuses every shared
    // mapping, even a read-only one (memfd_create(2), F_SEAL_WRITE). Nothing is written, so the
    // pages are the file's own and shared all the same.
    void* data = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (data == MAP_FAILED) {
        return sys_error("map memory file");
    }
    mapping.data_ = static_cast<const std::uint8_t*>(data);
    mapping.size_ = size;
    return mapping;
}

}  // namespace penstock
