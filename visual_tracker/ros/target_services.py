"""The services that start, drop and clear targets.

What they ask for is done on the session's worker thread. Callbacks await it, so that the executor
is free meanwhile, and whoever asks has an answer whatever goes wrong.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable
from concurrent.futures import Future as WorkerFuture
from typing import Any

from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.node import Node
from rclpy.task import Future
from std_srvs.srv import Trigger

from visual_tracker.ros import conversions
from visual_tracker.session import REFUSALS, TrackingSession
from visual_tracker_msgs.srv import InitTarget, RemoveTarget


class TargetServices:
    """Offers ~/init_target, ~/remove_target and ~/clear_targets.

    Args:
        node: offers them.
        session: gives the session to ask; raises TargetError where none can be asked now.
    """

    def __init__(self, node: Node, session: Callable[[], TrackingSession]) -> None:
        self._node = node
        self._session = session
        # an init may wait for its image; reentrant, so that others are served meanwhile
        waiting = ReentrantCallbackGroup()
        for service, name, callback in (
            (InitTarget, "~/init_target", self._on_init_target),
            (RemoveTarget, "~/remove_target", self._on_remove_target),
            (Trigger, "~/clear_targets", self._on_clear_targets),
        ):
            node.create_service(service, name, callback, callback_group=waiting)

    async def _on_init_target(
        self, request: InitTarget.Request, response: InitTarget.Response
    ) -> InitTarget.Response:
        stamp = conversions.stamp_to_nanoseconds(request.stamp) or None

        def ask(session: TrackingSession) -> WorkerFuture[Any]:
            box = conversions.box_from_message(request.bbox)
            return session.init_target(box, request.target_id, request.label, stamp)

        granted, response.message = await self._ask(ask)
        response.success = granted is not None
        response.target_id = request.target_id
        if granted is not None:
            response.target_id = granted.target_id
            response.bbox = conversions.box_to_message(granted.box)
            response.message = f"tracking '{granted.target_id}' from {granted.box}"
        self._node.get_logger().info(f"init_target: {response.message}")
        return response

    async def _on_remove_target(
        self, request: RemoveTarget.Request, response: RemoveTarget.Response
    ) -> RemoveTarget.Response:
        _, problem = await self._ask(lambda session: session.remove_target(request.target_id))
        response.success = not problem
        response.message = problem or f"'{request.target_id}' is no longer tracked"
        return response

    async def _on_clear_targets(
        self, request: Trigger.Request, response: Trigger.Response
    ) -> Trigger.Response:
        count, problem = await self._ask(lambda session: session.clear_targets())
        response.success = not problem
        response.message = problem or f"{count} target(s) removed"
        return response

    async def _ask(self, ask: Callable[[TrackingSession], WorkerFuture[Any]]) -> tuple[Any, str]:
        """Have the worker do something, without holding the executor; (result, why refused)."""
        try:
            return await self._awaitable(ask(self._session())), ""
        except REFUSALS as error:
            return None, f"refused: {error}"
        except Exception as error:  # a bug; whoever asks must have an answer all the same
            self._node.get_logger().error(f"internal error: {traceback.format_exc()}")
            return None, f"failed: {error!r}; the node's log says more"

    def _awaitable(self, worker_future: WorkerFuture[Any]) -> Future:
        """A future that the executor can await and is woken for when the worker is done."""
        future = Future()
        executor = self._node.executor

        def hand_over(done: WorkerFuture[Any]) -> None:
            error = done.exception()
            if not self._node.context.ok():
                return  # nobody waits any more
            if error is not None:
                future.set_exception(error)
            else:
                future.set_result(done.result())
            if executor is not None:
                executor.wake()

        worker_future.add_done_callback(hand_over)
        return future
