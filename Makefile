# Shortcuts; the build itself is Meson (meson.build).
.PHONY: all check gcc asan tsan fuzz tidy format demo golden

all: build/release/build.ninja
	ninja -C build/release

build/release/build.ninja:
	meson setup build/release --buildtype=release

check:
	tests/run

gcc asan tsan fuzz tidy:
	tests/run --rows $@

format:
	clang-format-14 -i $$(find base view engine record net client tui aggregator app tests -name '*.[ch]')

golden: build/gcc/build.ninja
	ninja -C build/gcc && UPDATE_GOLDEN=1 meson test -C build/gcc --no-rebuild --suite golden

build/gcc/build.ninja:
	meson setup build/gcc

demo:
	packaging/demo
