# Not tested; Linux only. See README.md beside this file.
class Potluck < Formula
  desc "Train a language model together with others"
  license "Apache-2.0"
  version "0.1.0"

  depends_on "meson" => :build
  depends_on "ninja" => :build
  depends_on "pkg-config" => :build
  depends_on "scdoc" => :build
  depends_on "jansson"
  depends_on "libnghttp2"
  depends_on "libuv"
  depends_on :linux
  depends_on "ncurses"
  depends_on "openssl@3"
  depends_on "sqlite"

  def install
    system "meson", "setup", "build", "-Dwerror=false", "-Db_ndebug=true", "-Dfuzz=off", "-Dtests=false",
           *std_meson_args
    system "meson", "compile", "-C", "build"
    system "meson", "install", "-C", "build"
  end

  test do
    assert_match "potluck #{version}", shell_output("#{bin}/potluck --version")
  end
end
