"""Stands in for the module SampleData: keeps sources, and hands them to their own makers."""

from __future__ import annotations

import logging
from typing import Any

import slicer

from .strict import NotOnHost

__all__ = ["SampleDataLogic", "SampleDataSource"]


class SampleDataSource:
    """One set of sample data."""

    def __init__(
        self,
        sampleName: str | None = None,
        sampleDescription: str | None = None,
        uris: Any = None,
        fileNames: Any = None,
        nodeNames: Any = None,
        checksums: Any = None,
        loadFiles: Any = None,
        customDownloader: Any = None,
        thumbnailFileName: str | None = None,
        loadFileTypes: Any = None,
        loadFileProperties: Any = None,
        loadFileType: Any = None,
    ) -> None:
        if loadFileType is not None and loadFileTypes is not None:
            raise ValueError("give loadFileTypes only")
        types = loadFileType if loadFileTypes is None else loadFileTypes
        columns = [uris, fileNames, nodeNames, checksums, loadFiles, types]
        if isinstance(uris, str):
            columns = [[column] for column in columns]
        elif isinstance(uris, list | tuple):
            empty = [None] * len(uris)
            # File names have no default, here as in Slicer.
            optional = [empty if c is None else c for c in columns[2:]]
            if isinstance(types, str):
                optional[-1] = [types] * len(uris)
            columns = [uris, fileNames, *optional]
        if len({len(column) for column in columns}) > 1:
            raise ValueError("what describes the files must have one entry for each of them")
        self.uris, self.fileNames, self.nodeNames = columns[:3]
        self.checksums, self.loadFiles, self.loadFileTypes = columns[3:]
        self.sampleName = sampleName
        self.sampleDescription = sampleName if sampleDescription is None else sampleDescription
        self.customDownloader = customDownloader
        self.thumbnailFileName = thumbnailFileName
        self.loadFileProperties = loadFileProperties or {}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SampleDataSource) and vars(self) == vars(other)

    __hash__ = None


class SampleDataLogic:
    """The sources that modules register, by category."""

    def __init__(self, logMessage: Any = None) -> None:
        if logMessage:
            self.logMessage = logMessage

    @staticmethod
    def registerCustomSampleDataSource(
        category: str = "Custom",
        sampleName: str | None = None,
        uris: Any = None,
        fileNames: Any = None,
        nodeNames: Any = None,
        customDownloader: Any = None,
        thumbnailFileName: str | None = None,
        loadFileTypes: Any = None,
        loadFiles: Any = None,
        loadFileProperties: Any = None,
        checksums: Any = None,
        loadFileType: Any = None,
    ) -> None:
        source = SampleDataSource(
            sampleName=sampleName,
            uris=uris,
            fileNames=fileNames,
            nodeNames=nodeNames,
            checksums=checksums,
            loadFiles=loadFiles,
            customDownloader=customDownloader,
            thumbnailFileName=thumbnailFileName,
            loadFileTypes=loadFileTypes,
            loadFileProperties=loadFileProperties,
            loadFileType=loadFileType,
        )
        known = SampleDataLogic.sampleDataSourcesByCategory().setdefault(category, [])
        if source not in known:
            known.append(source)

    @staticmethod
    def sampleDataSourcesByCategory(category: str | None = None) -> Any:
        if not hasattr(slicer.modules, "sampleDataSources"):
            slicer.modules.sampleDataSources = {}
        sources = slicer.modules.sampleDataSources
        return sources if category is None else sources.get(category, [])

    @staticmethod
    def isSampleDataSourceRegistered(category: str, sampleDataSource: Any) -> bool:
        if not isinstance(sampleDataSource, SampleDataSource):
            raise TypeError(f"{sampleDataSource!r} is not a SampleDataSource")
        return sampleDataSource in SampleDataLogic.sampleDataSourcesByCategory(category)

    def sourceForSampleName(self, sampleName: str) -> SampleDataSource | None:
        groups = self.sampleDataSourcesByCategory().values()
        return next((s for group in groups for s in group if s.sampleName == sampleName), None)

    def downloadFromSource(
        self, source: Any, maximumAttemptsCount: int = 3, forceDownload: bool = False
    ) -> Any:
        # Slicer's own does not call a source's maker either; only the button in its window does.
        raise NotOnHost("downloads")

    def logMessage(self, message: str, logLevel: int = logging.DEBUG) -> None:
        logging.log(logLevel, message)
