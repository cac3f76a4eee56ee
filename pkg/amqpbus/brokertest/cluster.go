package brokertest

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
)

// Cluster is several private nodes on one host that form one broker. Its nodes
// are stopped, killed, paused and started again one by one; Stop ends them all.
type Cluster []*Node

// clusterConf lets the side of a partition that has no majority wait, as the
// operations guide asks for, and lets nodes notice each other's silence soon.
const clusterConf = "cluster_partition_handling = pause_minority\nnet_ticktime = 8\n"

// StartCluster starts a number of nodes whose folders are in dir and joins them
// to the first.
func StartCluster(ctx context.Context, dir string, nodes int) (Cluster, error) {
	var c Cluster
	for i := range nodes {
		n, err := newNode(filepath.Join(dir, strconv.Itoa(i+1)))
		if err != nil {
			return nil, err
		}
		n.mate, n.more = true, clusterConf
		if i > 0 { // nodes find each other through one port mapper
			n.cookie, n.epmdPort = c[0].cookie, c[0].epmdPort
		}
		c = append(c, n)
	}
	for i, n := range c {
		if err := n.join(ctx, c[:i]); err != nil {
			c.Stop()
			return nil, err
		}
	}
	return c, nil
}

func (n *Node) join(ctx context.Context, others Cluster) error {
	if err := n.write(); err != nil {
		return err
	}
	if err := n.StartAgain(ctx); err != nil || len(others) == 0 {
		return err
	}
	for _, step := range [][]string{{"stop_app"}, {"join_cluster", others[0].name}, {"start_app"}} {
		if _, err := n.Ctl(step...); err != nil {
			return fmt.Errorf("join the cluster: %w", err)
		}
	}
	return n.await(ctx)
}

// Stop ends the nodes that were started, the last one first, and their port
// mapper.
func (c Cluster) Stop() {
	for _, n := range slices.Backward(c) {
		if n.cmd != nil {
			n.Stop()
		}
	}
	c[0].endPortMapper()
}

// Name is the node's name in its cluster.
func (n *Node) Name() string { return n.name }
