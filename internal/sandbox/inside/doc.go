// Package inside is the first process of a sandbox: it builds the root, seals it, and runs steps.
//
// The same code is carried by two programs: the small static one that package sandbox embeds (see ../initmain), and the
// whole program itself, which takes over early (see ../takeover) where the small one was not generated.
//
// What it promises:
//
//   - It runs only as process 1 of a fresh pid namespace, with its caller's socket on descriptor 3, see Called.
//   - Everything privileged is done by one thread, the main one, before any foreign byte is executed. A step is forked
//     from that thread, made powerless (no capability in any set, no_new_privs, locked securebits, seccomp), looked at
//     from outside itself by process 1, and only then told to execute.
//   - Paths inside the root are resolved with openat2(2) below the root without following any link, so an image or a
//     source tree cannot redirect a mount or a file.
//   - When a step's own process ends, every other process of the namespace is killed and waited for.
//   - When the socket closes, process 1 exits and the kernel takes everything with it.
package inside
