package harness

import "syscall"

// endWithParent has the kernel kill the child when the test process dies, however it dies, so that a cancelled run
// leaves no servers behind.
func endWithParent(attributes *syscall.SysProcAttr) { attributes.Pdeathsig = syscall.SIGKILL }
