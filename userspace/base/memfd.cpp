// SPDX-License-Identifier: Apache-2.0
#include "userspace/base/memfd.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <utility>

namespace penstock {

namespace {

constexpr int kSeals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
// Up to here the kernel is quicker to copy than to map, to fault in and to unmap.
constexpr std::size_t kReadMax = 16 * 1024;

}  // namespace

Result<Fd> empty_memfd(const std::string& name) {
    Fd fd(::memfd_create(name.c_str(), MFD_CLOEXEC | MFD_ALLOW_SEALING));
    if (!fd.valid()) {
        return sys_error("create memory file " + name);
    }
    return fd;
}

Status fill_and_seal(const Fd& memfd, std::span<const std::uint8_t> bytes) {
    std::size_t done = 0;
    while (done < bytes.size()) {
        const ssize_t wrote = ::write(memfd.get(), bytes.data() + done, bytes.size() - done);
        if (wrote < 0) {
            return sys_error("fill a memory file");
        }
        done += static_cast<std::size_t>(wrote);
    }
    if (::fcntl(memfd.get(), F_ADD_SEALS, kSeals) != 0) {
        return sys_error("seal a memory file");
    }
    return success();
}

Result<Fd> sealed_memfd(const std::string& name, std::span<const std::uint8_t> bytes) {
    PST_TRY_ASSIGN(Fd fd, empty_memfd(name));
    PST_TRY(fill_and_seal(fd, bytes));
    return fd;
}

SealedBytes::SealedBytes(SealedBytes&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)), mapped_(other.mapped_) {}

SealedBytes& SealedBytes::operator=(SealedBytes&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    std::swap(mapped_, other.mapped_);
    return *this;
}

SealedBytes::~SealedBytes() {
    if (data_ != nullptr && mapped_) {
        ::munmap(data_, size_);
    } else if (data_ != nullptr) {
        ::explicit_bzero(data_, size_);
        delete[] data_;
    }
}

Result<SealedBytes> SealedBytes::of(int fd, std::size_t limit) {
    const int seals = ::fcntl(fd, F_GET_SEALS);
    if (seals < 0 || (seals & kSeals) != kSeals) {
        return Error{.code = Errc::invalid, .what = "read memory file: it is not sealed", .hint = {}, .context = {}};
    }
    struct stat info = {};
    if (::fstat(fd, &info) != 0) {
        return sys_error("stat memory file");
    }
    const auto size = static_cast<std::size_t>(info.st_size);
    if (size > limit) {
        return Error{.code = Errc::limit, .what = "read memory file: too large", .hint = {}, .context = {}};
    }
    SealedBytes content;
    content.size_ = size;
    if (size != 0) {
        PST_TRY(size <= kReadMax ? content.read(fd) : content.map(fd));
    }
    return content;
}

Status SealedBytes::read(int fd) {
    data_ = new std::uint8_t[size_];
    for (std::size_t done = 0; done < size_;) {
        const ssize_t got = ::pread(fd, data_ + done, size_ - done, static_cast<off_t>(done));
        if (got <= 0) {
            return sys_error("read memory file");
        }
        done += static_cast<std::size_t>(got);
    }
    return success();
}

Status SealedBytes::map(int fd) {
    // MAP_PRIVATE: of a file sealed against writing, Linux before 6.7 refuses every shared
    // mapping, even a read-only one (memfd_create(2), F_SEAL_WRITE). Nothing is written, so the
    // pages are the file's own and shared all the same.
    void* data = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, fd, 0);
    if (data == MAP_FAILED) {
        return sys_error("map memory file");
    }
    data_ = static_cast<std::uint8_t*>(data);
    mapped_ = true;
    return success();
}

}  // namespace penstock
